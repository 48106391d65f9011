import { accountKey, listingOf, toAccount } from '../ledger/account.store.ts';
import { type Leg, WORLD } from '../ledger/account.ts';
import { readable } from '../shared/form.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item } from '../shared/world.ts';
import type { Finding } from './audit.ts';
import { type FoundRecord, factsOf } from './journal-record.ts';

/** A record that moves an account. */
interface Move {
  readonly id: string;
  readonly leg: Leg;
}

/**
 * L3: accounts that the journal moves and that are not there, or on no list, so that nothing of
 * them was added up. A limited account is looked for at its first entry, which makes one unit for
 * each; a derived one, whose entries have no number, once for all of these records.
 */
export async function checkMovedAccounts(
  db: Pick<Db, 'getAll'>,
  tenantId: string,
  found: readonly FoundRecord[],
): Promise<Finding[]> {
  const moves = new Map<string, Move>();
  for (const { record } of found) {
    const { id, legs } = factsOf(record);
    for (const leg of legs) {
      const isWanted = leg.accountId !== WORLD && (leg.seq === undefined || leg.seq === 1);
      if (isWanted && !moves.has(leg.accountId)) moves.set(leg.accountId, { id, leg });
    }
  }
  if (moves.size === 0) return [];
  const keys = [...moves.keys()].map((id) => accountKey(tenantId, id));
  const items = await db.getAll(keys.map((key) => ({ table: 'ledger', ...key })));
  return [...moves.values()].flatMap((move, index): Finding[] => {
    const what = faultOf(tenantId, items[index], move);
    if (what === undefined) return [];
    const detail = `${what}, and ${move.id} moves it`;
    return [{ invariant: 'L3', id: move.leg.accountId, detail }];
  });
}

/** What is said of an account that `isOnList` denies. */
export const UNLISTED = 'no list of accounts has it at its time';

/** Whether the list of a tenant's accounts leads to this one, from the time that it says. */
export function isOnList(tenantId: string, id: string, item: Item): boolean {
  const place = `${sortableMs(Number(item.createdAt))}#${id}`;
  return item.listingPk === listingOf(tenantId) && item.listingSk === place;
}

function faultOf(tenantId: string, item: Item | undefined, { leg }: Move): string | undefined {
  if (!item) return 'the account is not there';
  if (!isOnList(tenantId, leg.accountId, item)) return UNLISTED;
  // What cannot be read was told of when its list was gone through.
  const mode = readable(() => toAccount(item))?.mode;
  return mode === 'limited' && leg.seq === undefined ? 'it is limited' : undefined;
}
