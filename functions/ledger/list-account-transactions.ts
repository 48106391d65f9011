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

/** A transaction of a list. */
export interface TransactionPlace {
  readonly id: string;
  /** Where the list goes on behind it. */
  readonly place: string;
}

export interface TransactionPlaces {
  readonly places: readonly TransactionPlace[];
  /** Undefined at the end. */
  readonly next?: string | undefined;
}

/** A page may pass over so many rounds of lines of holds. The next request goes on there. */
const ROUNDS_MAX = 10;

/** Lines of a round after the first, which hopes for no line of a hold among those of a page. */
const LINES_MIN = 100;

/**
 * The transactions that touched an account, the newest first, as its statement names them: within
 * a second of their posting. `isDerived` is true for `@world` too.
 */
export async function listTransactionPlaces(
  { db }: Pick<World, 'db'>,
  { isDerived, ...statement }: StatementName & { readonly isDerived: boolean },
  { limit, after, ...period }: TransactionRange,
): Promise<TransactionPlaces> {
  const readLines = (range: LineRange) =>
    isDerived ? listShardedLines(db, statement, range) : listStandingLines(db, statement, range);
  const places: TransactionPlace[] = [];
  let end = after;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const count = round === 0 ? limit : Math.max(limit, LINES_MIN);
    // One line more than is looked at tells that there is more.
    const found = await readLines({ ...period, limit: count + 1, after: end });
    const lines = found.slice(0, count);
    for (const [index, line] of lines.entries()) {
      end = lineKey(line).sk;
      const { transactionId: id } = line;
      if (id !== undefined) places.push({ id, place: end });
      if (places.length < limit) continue;
      const isMore = found.slice(index + 1).some((it) => it.transactionId !== undefined);
      return isMore || found.length > count ? { places, next: end } : { places };
    }
    if (found.length <= count) return { places };
  }
  return { places, next: end };
}
