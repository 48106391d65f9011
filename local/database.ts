import { existsSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { LocalFailure, messageOf } from './failure.ts';

/** SQL text to rows, prepared once. The caller names the shape of the rows. */
export interface Database {
  run(sql: string, ...values: (string | number | null)[]): number;
  rows<Row>(sql: string, ...values: (string | number | null)[]): Row[];
  /** All of the work, or none of it. */
  atomically<Result>(work: () => Result): Result;
  close(): void;
}

/**
 * Opens or makes an SQLite file. What is written survives `kill -9` at once; `durable` waits for
 * the disk besides, so that a power cut takes nothing either (about six times slower). A file
 * that is no database is a failure that names it.
 */
export function openDatabase(file: string, schema: string, durable = false): Database {
  const db = openFile(file, schema, durable);
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const found = prepared.get(sql) ?? db.prepare(sql);
    prepared.set(sql, found);
    return found;
  };
  return {
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    rows: <Row>(sql: string, ...values: (string | number | null)[]) =>
      prepare(sql).all(...values) as Row[],
    atomically(work) {
      db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        db.exec('COMMIT');
        return result;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => db.close(),
  };
}

function openFile(file: string, schema: string, durable: boolean): DatabaseSync {
  try {
    const db = new DatabaseSync(file);
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'};`);
    db.exec(schema);
    return db;
  } catch (error) {
    throw new LocalFailure(`${file} cannot be read (${messageOf(error)}); --fresh starts anew`);
  }
}

/** Refuses a file that is no database, in a sentence that names it. None at all is fine. */
export function checkDatabase(file: string): void {
  if (existsSync(file)) openFile(file, 'SELECT count(*) FROM sqlite_schema', false).close();
}
