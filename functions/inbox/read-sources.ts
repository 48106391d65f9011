import { route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { placeOf, readByTime } from '../shared/time-list.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import { findBacklog } from './backlog.store.ts';
import { findReceipts, receiptListings } from './receipt.store.ts';
import { getSourceRoute, listSourcesRoute } from './source.contract.ts';
import { findSource, findSources, sourceListing } from './source.store.ts';
import type { Source } from './source.ts';
import { sourceView } from './source-view.ts';

/** GET /v1/sources/{id}: strongly consistent, and what is open up to a second old. */
export const getSource = route(getSourceRoute, async (call, world: Pick<World, 'clock' | 'db'>) => {
  const source = await findSource(world.db, call.tenantId, call.params.id);
  if (!source) throw new Problem('not_found');
  const backlog =
    source.maxBacklog === undefined ? undefined : await findBacklog(world.db, source.id);
  const oldestAgeSeconds = await findOldestAge(source, world);
  return { body: { ...sourceView(source, call), backlog, oldestAgeSeconds } };
});

/** So many of a tenant's open receipts are looked at for one of the source. */
const OLDEST_ROWS = 100;

async function findOldestAge(
  { id, tenantId }: Source,
  { clock, db }: Pick<World, 'clock' | 'db'>,
): Promise<number | undefined> {
  const partitions = receiptListings(tenantId, 'pending');
  const pages = await Promise.all(
    partitions.map((pk) => db.query({ table: 'inbox', index: 'listing', pk, limit: OLDEST_ROWS })),
  );
  const nowMs = clock.nowMs();
  const rows = pages.flatMap(({ items }) => items).sort(byPlace);
  const found = await findReceipts(db, rows.slice(0, OLDEST_ROWS), nowMs);
  const times = [...found.values()].flatMap((it) => (it.sourceId === id ? [it.receivedAtMs] : []));
  return times.length === 0 ? undefined : Math.floor((nowMs - Math.min(...times)) / SECOND_MS);
}

function byPlace(a: Item, b: Item): number {
  const list = { index: 'listing' } as const;
  return placeOf(a, list) < placeOf(b, list) ? -1 : 1;
}

/** So many are looked at at once for those of one status. */
const ROWS_OF_STATUS = 100;

/** GET /v1/sources. */
export const listSources = route(
  listSourcesRoute,
  async (call, { db, secrets }: Pick<World, 'db' | 'secrets'>) => {
    const { tenantId, query } = call;
    const { limit, cursor, status } = query;
    const boundTo = [tenantId, 'sources', JSON.stringify({ status })];
    const key = await secrets.read('cursor-key');
    const partitions = [sourceListing(tenantId)];
    const { items, next } = await readByTime<Source>(
      db,
      { table: 'inbox', index: 'listing', partitions },
      {
        limit,
        after: cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at),
        rows: status === undefined ? limit : ROWS_OF_STATUS,
        pick: async (rows) =>
          (await findSources(db, rows)).map((it) =>
            status === undefined || it?.status === status ? it : undefined,
          ),
      },
    );
    const nextCursor = next && makeCursor({ at: next }, boundTo, key);
    const data = items.map((it) => sourceView(it, call));
    return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
  },
);
