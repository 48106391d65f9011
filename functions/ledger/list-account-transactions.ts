import type { World } from '../shared/world.ts';
import { lineKey } from './statement.store.ts';
import type { StatementName } from './statement.ts';
import {
  type LineRange,
  listShardedLines,
  listStandingLines,
  type Period,
} from './statement-list.store.ts';

export interface TransactionRange extends Period {
  readonly limit: number;
  /** Where the page before ended. */
  readonly after?: string | undefined;
}

export interface TransactionIds {
  readonly ids: readonly string[];
  /** Undefined at the end. */
  readonly next?: string | undefined;
}

/** A page may pass over so many lines of holds, in pages. The next request goes on there. */
const ROUNDS_MAX = 10;

/**
 * The transactions that touched an account, the newest first, as its statement names them: within
 * a second of their posting. `isDerived` is true for `@world` too.
 */
export async function listTransactionIds(
  { db }: Pick<World, 'db'>,
  { isDerived, ...statement }: StatementName & { readonly isDerived: boolean },
  { limit, after, ...period }: TransactionRange,
): Promise<TransactionIds> {
  const readLines = (range: LineRange) =>
    isDerived ? listShardedLines(db, statement, range) : listStandingLines(db, statement, range);
  const ids: string[] = [];
  let end = after;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    // One line more than is looked at tells that there is more.
    const found = await readLines({ ...period, limit: limit + 1, after: end });
    for (const [index, line] of found.slice(0, limit).entries()) {
      end = lineKey(line).sk;
      if (line.transactionId !== undefined) ids.push(line.transactionId);
      if (ids.length === limit) return index === found.length - 1 ? { ids } : { ids, next: end };
    }
    if (found.length <= limit) return { ids };
  }
  return { ids, next: end };
}
