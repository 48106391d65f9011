import { accountKey, externalIdKey, listingOf, toDetails } from '../ledger/account.store.ts';
import { ACCOUNT_STATUSES } from '../ledger/account.ts';
import { readable } from '../shared/form.ts';
import type { Db, Item } from '../shared/world.ts';
import type { Finding } from './audit.ts';

type Reads = Pick<Db, 'getAll'>;

/**
 * L3: accounts whose names and metadata are not there, so that nobody can read them, or on no
 * list; or whose external id finds none, or another one. One unit for each account, and one for
 * each external id.
 */
export async function checkNames(
  db: Reads,
  tenantId: string,
  accountIds: readonly string[],
): Promise<Finding[]> {
  if (accountIds.length === 0) return [];
  const keys = accountIds.map((id) => ({ ...accountKey(tenantId, id), sk: 'M' }));
  const items = await db.getAll(keys.map((key) => ({ table: 'ledger', ...key })));
  const names = accountIds.map((id, index) => {
    const item = items[index];
    const isListed = isOnList(tenantId, id, item);
    return { id, details: item && readable(() => toDetails(item)), isListed };
  });
  const claims = names.flatMap(({ id, details }) =>
    details?.externalId === undefined ? [] : [{ id, externalId: details.externalId }],
  );
  return [
    ...names.flatMap(({ id, details, isListed }): Finding[] => {
      if (!details) return [{ invariant: 'L3', id, detail: 'its name and metadata are lost' }];
      const detail = 'no list of accounts of one status has it';
      return isListed ? [] : [{ invariant: 'L3', id, detail }];
    }),
    ...(await checkClaims(db, tenantId, claims)),
  ];
}

/** In which of them it must be may change while it is read. */
function isOnList(tenantId: string, id: string, item: Item | undefined): boolean {
  const lists = ACCOUNT_STATUSES.map((it) => listingOf(tenantId, it));
  const { listingPk, listingSk } = item ?? {};
  return lists.includes(String(listingPk)) && String(listingSk).endsWith(`#${id}`);
}

interface Claim {
  readonly id: string;
  readonly externalId: string;
}

async function checkClaims(
  db: Reads,
  tenantId: string,
  claims: readonly Claim[],
): Promise<Finding[]> {
  if (claims.length === 0) return [];
  const keys = claims.map((it) => externalIdKey(tenantId, it.externalId));
  const items = await db.getAll(keys.map((key) => ({ table: 'ledger', ...key })));
  return claims.flatMap(({ id, externalId }, index): Finding[] => {
    const found = items[index]?.account;
    if (found === id) return [];
    const detail = `its external id ${externalId} finds ${found ?? 'no account'}`;
    return [{ invariant: 'L3', id, detail }];
  });
}
