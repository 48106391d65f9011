import { route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { idOfPlace, placeOf, readByTime } from '../shared/time-list.ts';
import type { Db, Item, World } from '../shared/world.ts';
import { getHoldRoute, listHoldsRoute } from './hold.contract.ts';
import { findHold, holdListing, loadHolds } from './hold.store.ts';
import { HOLD_STATUSES, type Hold } from './hold.ts';
import { holdView } from './hold-view.ts';

const INDEX = 'listing';

/** GET /v1/holds/{id}: strongly consistent. */
export const getHold = route(
  getHoldRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const hold = await findHold(db, tenantId, params.id);
    if (!hold) throw new Problem('not_found');
    return { body: holdView(hold) };
  },
);

/** Few holds of a tenant may be on one account: so many are looked at at once. */
const ROWS_OF_ACCOUNT = 100;

/** GET /v1/holds: which ones is up to a second old, what they are is not. */
export const listHolds = route(
  listHoldsRoute,
  async ({ tenantId, query }, { db, secrets }: Pick<World, 'db' | 'secrets'>) => {
    const { limit, cursor, ...filter } = query;
    const { status, accountId } = filter;
    const statuses = status ? [status] : HOLD_STATUSES;
    const partitions = statuses.map((it) => holdListing(tenantId, it));
    const boundTo = [tenantId, 'holds', JSON.stringify(filter)];
    const key = await secrets.read('cursor-key');
    const { items, next } = await readByTime(
      db,
      { table: 'ledger', index: INDEX, partitions },
      {
        limit,
        after: cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at),
        rows: accountId === undefined ? limit : ROWS_OF_ACCOUNT,
        pick: (rows) => findHolds(rows, accountId, db),
      },
    );
    const nextCursor = next && makeCursor({ at: next }, boundTo, key);
    return { body: { data: items.map(holdView), nextCursor, hasMore: nextCursor !== undefined } };
  },
);

/** The holds behind these rows; undefined for one on another account than is wanted. */
async function findHolds(
  rows: readonly Item[],
  accountId: string | undefined,
  db: Pick<Db, 'getAll'>,
): Promise<(Hold | undefined)[]> {
  const holds = await loadHolds(db, rows);
  const wanted = holds.filter((it) => accountId === undefined || it.accountId === accountId);
  const byId = new Map<string, Hold>(wanted.map((it) => [it.id, it]));
  return rows.map((row) => byId.get(idOfPlace(placeOf(row, { index: INDEX }))));
}
