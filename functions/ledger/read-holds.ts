import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { Db, Item, World } from '../shared/world.ts';
import { getHoldRoute, listHoldsRoute } from './hold.contract.ts';
import { findHold, holdListing, loadHolds } from './hold.store.ts';
import { HOLD_STATUSES } from './hold.ts';
import { holdView } from './hold-view.ts';
import { readByTime } from './time-list.store.ts';

/** GET /v1/holds/{id}: strongly consistent. */
export const getHold = route(
  getHoldRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const hold = await findHold(db, tenantId, params.id);
    if (!hold) throw new Problem('not_found');
    return { body: holdView(hold) };
  },
);

/** GET /v1/holds: which ones is up to a second old, what they are is not. */
export const listHolds = route(
  listHoldsRoute,
  async ({ tenantId, query }, world: Pick<World, 'db' | 'secrets'>) => {
    const { limit, cursor, ...filter } = query;
    const statuses = filter.status ? [filter.status] : HOLD_STATUSES;
    const partitions = statuses.map((status) => holdListing(tenantId, status));
    const list = { index: 'listing', partitions } as const;
    const boundTo = [tenantId, 'holds', JSON.stringify(filter)];
    const { accountId } = filter;
    const isWanted =
      accountId === undefined
        ? undefined
        : (items: readonly Item[]) => areOf(accountId, items, world.db);
    const page = await readByTime(world, list, {
      ...{ limit, cursor, boundTo },
      ...(isWanted && { isWanted }),
    });
    const holds = await loadHolds(world.db, page.items);
    const { nextCursor } = page;
    return { body: { data: holds.map(holdView), nextCursor, hasMore: nextCursor !== undefined } };
  },
);

/** Which of these index entries are holds on the account. */
async function areOf(
  accountId: string,
  items: readonly Item[],
  db: Pick<Db, 'getAll'>,
): Promise<boolean[]> {
  const onAccount = new Set(
    (await loadHolds(db, items)).filter((it) => it.accountId === accountId).map((it) => it.id),
  );
  return items.map((it) => [...onAccount].some((id) => String(it.listingSk).endsWith(id)));
}
