import { LISTING_SHARDS } from '../events/event.store.ts';
import { idFrom } from '../shared/ids/ulid.ts';
import type { Db, Item, Query } from '../shared/world.ts';
import { DELIVERY_SHARDS, deliveryPartition, openPartition } from './delivery.store.ts';
import type { Release } from './release.ts';

/** Events of whose deliveries some may be wanted, in the order of their ids. */
export interface ReleasePage {
  readonly eventIds: readonly string[];
  /** Whether nothing is behind them. */
  readonly isEnd: boolean;
}

/**
 * The next events behind the cursor of a release, the oldest first. Those on an index may be gone
 * from their status by now, so that each delivery has to be looked at.
 */
export async function listReleasePage(
  db: Pick<Db, 'query'>,
  release: Pick<Release, 'tenantId' | 'endpointId' | 'wants' | 'cursor'>,
  count: number,
): Promise<ReleasePage> {
  const { cursor } = release;
  const { from, to } = boundsOf(release);
  const partitions = partitionsOf(release);
  const ids = await Promise.all(
    partitions.map(async (partition) => {
      const range = { from: cursor ?? from, to };
      return readIds(db, { ...partition, sk: range }, { count: count + 1, cursor });
    }),
  );
  const merged = [...new Set(ids.flat())].sort();
  return { eventIds: merged.slice(0, count), isEnd: merged.length <= count };
}

/** A derived id, of an alert of a file, tells no time: only a release without bounds finds it. */
function boundsOf({ wants }: Pick<Release, 'wants'>) {
  const { between } = wants;
  // '~' sorts behind every id.
  if (!between) return { from: 'evt_', to: 'evt_~' };
  return { from: idFrom('evt', between.fromMs), to: idFrom('evt', between.toMs) };
}

type Partition = Pick<Query, 'table' | 'index' | 'pk'>;

function partitionsOf(release: Pick<Release, 'tenantId' | 'endpointId' | 'wants'>): Partition[] {
  const { tenantId, endpointId } = release;
  const shards = (count: number) => Array.from({ length: count }, (_, shard) => shard);
  return release.wants.statuses.flatMap((status): Partition[] => {
    if (status === 'missing') {
      const pks = shards(LISTING_SHARDS).map((shard) => `${tenantId}#${shard}`);
      return pks.map((pk) => ({ table: 'outbox', index: 'listing', pk }));
    }
    const table = 'deliveries';
    return shards(DELIVERY_SHARDS).map((shard) =>
      status === 'delivered'
        ? { table, pk: deliveryPartition(tenantId, endpointId, shard) }
        : { table, index: 'open', pk: openPartition(release, status, shard) },
    );
  });
}

/** Skips the samples of answers, which lie between the deliveries. */
async function readIds(
  db: Pick<Db, 'query'>,
  query: Query,
  { count, cursor }: { readonly count: number; readonly cursor: string | undefined },
): Promise<string[]> {
  const found: string[] = [];
  let after: Item | undefined;
  do {
    const page = await db.query({ ...query, limit: count + 1, ...(after && { after }) });
    const ids = page.items.map((it) => idOf(it, query));
    found.push(...ids.filter((id) => !id.includes('#') && id !== cursor));
    after = page.next;
  } while (after && found.length < count);
  return found.slice(0, count);
}

function idOf(item: Item, { index }: Query): string {
  return String(index === undefined ? item.sk : item[`${index}Sk`]);
}
