import { idFrom } from '../shared/ids/ulid.ts';
import { readUpTo } from '../shared/page.ts';
import type { Db } from '../shared/world.ts';
import { LISTING_SHARDS } from './event.store.ts';
import { fitsFilter, type OutboxEvent } from './event.ts';

/** Which events of a tenant, by the time when they were accepted. */
export interface EventFilter {
  readonly tenantId: string;
  /** One type, or `order.*`. */
  readonly type?: string | undefined;
  /** Inclusive. */
  readonly fromMs?: number | undefined;
  /** Exclusive. */
  readonly toMs?: number | undefined;
}

export interface EventRange {
  readonly limit: number;
  /** Behind the event with this id. */
  readonly after?: string | undefined;
}

export interface EventIds {
  /** Newest first. */
  readonly ids: readonly OutboxEvent['id'][];
  /** The id behind which the list goes on; undefined at its end. */
  readonly next?: string | undefined;
}

/** Entries of the index that are looked at at once where not every type is wanted: 0.1 KB each. */
const ROWS = 250;
/** A page may pass over so many times as many. The next request goes on there. */
const ROUNDS_MAX = 10;

interface Row {
  readonly id: string;
  readonly type: string;
}

/** One page of a tenant's events by the index, which is up to a second old. */
export async function listEventIds(
  db: Pick<Db, 'query'>,
  filter: EventFilter,
  range: EventRange,
): Promise<EventIds> {
  const { type } = filter;
  const fits = (row: Row) => type === undefined || fitsFilter(type, row.type);
  const count = type === undefined ? range.limit : ROWS;
  const ids: OutboxEvent['id'][] = [];
  let { after } = range;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    // One more tells whether there is more.
    const found = await mergeShards(db, filter, { limit: count + 1, after });
    const rows = found.slice(0, count);
    for (const [index, row] of rows.entries()) {
      after = row.id;
      if (fits(row)) ids.push(row.id as OutboxEvent['id']);
      if (ids.length < range.limit) continue;
      const isMore = found.length > count || found.slice(index + 1).some(fits);
      return isMore ? { ids, next: after } : { ids };
    }
    if (found.length <= count) return { ids };
  }
  return { ids, next: after };
}

/** The newest of all shards below `after`. */
async function mergeShards(
  db: Pick<Db, 'query'>,
  { tenantId, fromMs = 0, toMs }: EventFilter,
  { limit, after }: EventRange,
): Promise<Row[]> {
  const from = idFrom('evt', fromMs);
  // `~` sorts behind every id.
  const end = toMs === undefined ? 'evt_~' : idFrom('evt', toMs);
  const to = after !== undefined && after < end ? after : end;
  if (to < from) return [];
  const read = (shard: number) =>
    readUpTo(
      db,
      {
        ...{ table: 'outbox', index: 'listing', pk: `${tenantId}#${shard}` },
        ...{ sk: { from, to }, newestFirst: true },
      },
      // The one where the page before ended may come again.
      { limit: limit + 1, after: undefined },
    );
  const shards = Array.from({ length: LISTING_SHARDS }, (_, shard) => shard);
  return (await Promise.all(shards.map(read)))
    .flat()
    .map(({ listingSk, type }) => ({ id: String(listingSk), type: String(type) }))
    .filter(({ id }) => after === undefined || id < after)
    .sort((a, b) => (a.id < b.id ? 1 : -1))
    .slice(0, limit);
}
