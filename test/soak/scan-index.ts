import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Making an index of a million rows takes some seconds, and whoever writes meanwhile waits. */
const BUSY_MS = 60_000;

/**
 * Gives these tables of a local cloud the order in which scans read. Without it dynoxide 1.2.1
 * sorts the whole table for each page of a scan: at 600,000 rows for minutes, in all. The local
 * cloud itself goes without it, because each write would pay for it. Does nothing where the engine
 * is not the cloud's own.
 */
export function indexScans(stateDir: string, tables: readonly string[]): void {
  const file = join(stateDir, 'dynamodb.db');
  if (!existsSync(file)) return;
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  try {
    for (const table of tables) {
      database.exec(`CREATE INDEX IF NOT EXISTS "${table}::scan"
        ON "${table}" (hash_prefix, pk, sk)`);
    }
  } finally {
    database.close();
  }
}
