import {
  idOfPlace,
  placeOf,
  readByTime,
  type TimeList,
  type TimePage,
} from '../shared/time-list.ts';
import type { World } from '../shared/world.ts';
import { WORLD } from './account.ts';
import type { TransactionPlace, TransactionRange } from './list-account-transactions.ts';
import type { StatementName } from './statement.ts';
import { type FoundTransaction, loadTransactions } from './transaction.store.ts';
import type { Posting, Transaction } from './transaction.ts';

/** A transaction of a list that had to be looked at. */
export interface TouchingTransaction extends TransactionPlace {
  readonly found: FoundTransaction;
}

/** Few of a list may touch an account: so many are looked at at once. */
const ROWS = 100;

/**
 * The transactions of a list of the journal that touch an account, or that would have, had they
 * not been rejected. Looks at a thousand at most: a page may be short, and the next one goes on
 * there. 2 RRU for each that is looked at.
 */
export async function listTouchingTransactions(
  { db }: Pick<World, 'db'>,
  { statement, list }: { readonly statement: StatementName; readonly list: TimeList },
  { limit, after }: Pick<TransactionRange, 'limit' | 'after'>,
): Promise<TimePage<TouchingTransaction>> {
  return readByTime(db, list, {
    limit,
    after,
    rows: ROWS,
    pick: async (rows) => {
      const places = rows.map((row) => placeOf(row, list));
      const all = await loadTransactions(db, statement.tenantId, places.map(idOfPlace));
      const byId = new Map(all.map((it) => [String(it.transaction.id), it]));
      return places.map((place) => {
        const id = idOfPlace(place);
        const found = byId.get(id);
        return found && touches(found.transaction, statement) ? { id, place, found } : undefined;
      });
    },
  });
}

/** By what it asked for: what was rejected has moved nothing. */
function touches({ postings }: Transaction, { accountId, currency }: StatementName): boolean {
  const isOf = (it: Posting) => it.sourceId === accountId || it.destinationId === accountId;
  // What was asked of an account in a wrong currency was asked of it nevertheless.
  return postings.some((it) => isOf(it) && (accountId !== WORLD || it.currency === currency));
}
