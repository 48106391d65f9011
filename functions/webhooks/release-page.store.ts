import { LISTING_SHARDS } from '../events/event.store.ts';
import { idFrom } from '../shared/ids/ulid.ts';
import { pagesOf } from '../shared/page.ts';
import type { Db, Item, Query } from '../shared/world.ts';
import { DELIVERY_SHARDS, deliveryPartition, openPartition } from './delivery.store.ts';
import { queuedBetween, type Release } from './release.ts';

/** Events of whose deliveries some may be wanted, in the order of their ids. */
export interface ReleasePage {
  readonly eventIds: readonly string[];
  /** The last event that was looked at, also if its type tells that it is not wanted. */
  readonly cursor?: string | undefined;
  /** Whether nothing is behind them. */
  readonly isEnd: boolean;
}

/** How many events are looked at, and of which types any may be wanted. */
export interface Look {
  readonly count: number;
  mayWant(type: string): boolean;
}

/**
 * The next events behind the cursor of a release, the oldest first. Those on an index may be gone
 * from their status by now, so that each delivery has to be looked at. The list of events tells
 * their types: what is not wanted by its type costs nothing more.
 */
export async function listReleasePage(
  db: Pick<Db, 'query'>,
  release: Searched,
  { count, mayWant }: Look,
): Promise<ReleasePage> {
  const { cursor } = release;
  const found = await Promise.all(
    partitionsOf(release).map(async ({ from, to, ...partition }) => {
      // A cursor may lie before the events of a partition, or behind all of them.
      const begin = cursor !== undefined && cursor > from ? cursor : from;
      if (begin > to) return [];
      const range = { from: begin, to };
      return readEntries(db, { ...partition, sk: range }, { count: count + 1, cursor });
    }),
  );
  const entries = found.flat();
  const merged = [...new Set(entries.map((it) => it.id))].sort();
  const looked = merged.slice(0, count);
  const maybe = entries.filter(({ type }) => type === undefined || mayWant(type));
  const wanted = new Set(maybe.map((it) => it.id));
  return {
    eventIds: looked.filter((it) => wanted.has(it)),
    cursor: looked.at(-1) ?? cursor,
    isEnd: merged.length <= count,
  };
}

type Searched = Pick<Release, 'tenantId' | 'endpointId' | 'wants' | 'cursor'> &
  Partial<Pick<Release, 'createdAtMs'>>;

/** The alerts of a file of an earlier release have ids without a time: no bounds find them. */
function boundsOf(between: { readonly fromMs: number; readonly toMs: number } | undefined): Bounds {
  // '~' sorts behind every id.
  if (!between) return { from: 'evt_', to: 'evt_~' };
  return { from: idFrom('evt', between.fromMs), to: idFrom('evt', between.toMs) };
}

interface Bounds {
  readonly from: string;
  readonly to: string;
}

type Partition = Pick<Query, 'table' | 'index' | 'pk'> & Bounds;

function partitionsOf(release: Searched): Partition[] {
  const { tenantId, endpointId } = release;
  const bounds = boundsOf(release.wants.between);
  const shards = (count: number) => Array.from({ length: count }, (_, shard) => shard);
  return release.wants.statuses.flatMap((status): Partition[] => {
    if (status === 'missing' || status === 'pending') {
      const these = status === 'missing' ? bounds : boundsOf(queuedBetween(release));
      const pks = shards(LISTING_SHARDS).map((shard) => `${tenantId}#${shard}`);
      return pks.map((pk) => ({ table: 'outbox', index: 'listing', pk, ...these }));
    }
    const table = 'deliveries';
    return shards(DELIVERY_SHARDS).map((shard) =>
      status === 'delivered'
        ? { table, pk: deliveryPartition(tenantId, endpointId, shard), ...bounds }
        : { table, index: 'open', pk: openPartition(release, status, shard), ...bounds },
    );
  });
}

interface Entry {
  readonly id: string;
  /** Only the list of events tells it. */
  readonly type?: string | undefined;
}

/** Skips the samples of answers, which lie between the deliveries. */
async function readEntries(
  db: Pick<Db, 'query'>,
  query: Query,
  { count, cursor }: { readonly count: number; readonly cursor: string | undefined },
): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const items of pagesOf(db, { ...query, limit: count + 1 })) {
    const entries = items.map((it) => toEntry(it, query));
    found.push(...entries.filter(({ id }) => !id.includes('#') && id !== cursor));
    if (found.length >= count) break;
  }
  return found.slice(0, count);
}

function toEntry(item: Item, { table, index }: Query): Entry {
  const id = String(index === undefined ? item.sk : item[`${index}Sk`]);
  const { type } = item;
  return { id, type: table === 'outbox' && typeof type === 'string' ? type : undefined };
}
