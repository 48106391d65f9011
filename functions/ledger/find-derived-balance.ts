import type { World } from '../shared/world.ts';
import type { AccountWithDetails } from './account.store.ts';
import { accountView } from './account-view.ts';
import { findAllTotals, findTotals, type ShardTotal } from './statement.store.ts';
import { type StatementName, statementOf } from './statement.ts';

/**
 * The balance of a derived account, or of `@world` in one currency: the sum of its shards' totals,
 * seconds behind the journal. 16 RRU.
 */
export async function findDerivedBalance(
  { db }: Pick<World, 'db'>,
  statement: StatementName,
): Promise<bigint> {
  return sumOf(await findTotals(db, statement));
}

/** The same of many accounts by one read, in their order: 16 RRU for each. */
export async function findDerivedBalances(
  { db }: Pick<World, 'db'>,
  statements: readonly StatementName[],
): Promise<bigint[]> {
  return (await findAllTotals(db, statements)).map(sumOf);
}

function sumOf(totals: readonly ShardTotal[]): bigint {
  return totals.reduce((sum, it) => sum + it.sum, 0n);
}

/** The account with its balance as it is now. */
export async function viewNow(found: AccountWithDetails, world: Pick<World, 'db'>) {
  if (found.account.mode === 'limited') return accountView(found);
  const balance = await findDerivedBalance(world, statementOf(found.account));
  return accountView(found, { balance });
}
