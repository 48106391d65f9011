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

type Needs = Pick<World, 'clock' | 'db' | 'log'>;

/** GET /v1/sources/{id}: strongly consistent, and what is open up to a second old. */
export const getSource = route(getSourceRoute, async (call, world: Needs) => {
  const source = await findSource(world.db, call.tenantId, call.params.id);
  if (!source) throw new Problem('not_found');
  const backlog =
    source.maxBacklog === undefined ? undefined : await findBacklog(world.db, source.id);
  const oldestAgeSeconds = await findOldestAge(source, world);
  return { body: { ...sourceView(source, call), backlog, oldestAgeSeconds } };
});

/** So many of a tenant's open receipts are looked at for one of the source. */
const OLDEST_ROWS = 100;

async function findOldestAge({ id, tenantId }: Source, world: Needs): Promise<number | undefined> {
  const { clock, db } = world;
  const partitions = receiptListings(tenantId, 'pending');
  const pages = await Promise.all(
    partitions.map((pk) => db.query({ table: 'inbox', index: 'listing', pk, limit: OLDEST_ROWS })),
  );
  const rows = pages.flatMap(({ items }) => items).sort(byPlace);
  const found = await findReceipts(world, rows.slice(0, OLDEST_ROWS));
  const nowMs = clock.nowMs();
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
  async (call, world: Pick<World, 'db' | 'log' | 'secrets'>) => {
    const { tenantId, query } = call;
    const { limit, cursor, status } = query;
    const boundTo = [tenantId, 'sources', JSON.stringify({ status })];
    const key = await world.secrets.read('cursor-key');
    const partitions = [sourceListing(tenantId)];
    const { items, next } = await readByTime(
      world.db,
      { table: 'inbox', index: 'listing', partitions },
      {
        limit,
        after: cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at),
        rows: status === undefined ? limit : ROWS_OF_STATUS,
        pick: (rows) =>
          findSources(world, rows, (it) =>
            status === undefined || it.status === status ? sourceView(it, call) : undefined,
          ),
      },
    );
    const nextCursor = next && makeCursor({ at: next }, boundTo, key);
    const data = [...items];
    return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
  },
);
