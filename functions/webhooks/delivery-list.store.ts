import { pagesOf } from '../shared/page.ts';
import type { Db, Item, Page, Query } from '../shared/world.ts';
import {
  DELIVERY_SHARDS,
  deliveryPartition,
  findDeliveries,
  nameOfKey,
  OPEN_STATUSES,
  openPartition,
  toDelivery,
} from './delivery.store.ts';
import type { Delivery, DeliveryStatus } from './delivery.ts';

/** Where a page of deliveries ended. */
export interface Position {
  readonly pk: string;
  readonly sk: string;
}

/** One of the partitions that a list is merged from. */
type Partition = Pick<Query, 'index' | 'pk'>;

export interface Filter {
  readonly tenantId: string;
  readonly endpointIds: readonly string[];
  /** Undefined: every status. */
  readonly statuses?: readonly DeliveryStatus[] | undefined;
}

interface Range {
  readonly limit: number;
  readonly after?: Position | undefined;
}

export interface Found {
  readonly deliveries: readonly Delivery[];
  /** Where to go on; undefined at the end. */
  readonly next?: Position;
}

/** A page may look at so many pages of rows that do not fit. The next request goes on there. */
const ROUNDS = 10;
/** And make so many queries, if its endpoints are no more than `endpointsAtOnce`. */
const QUERIES_MAX = 400;
const AT_ONCE = 64;

/**
 * The deliveries of so many endpoints can be asked for by status together. A tenant may have a
 * thousand, and each status of each of them has partitions of its own.
 */
export function endpointsAtOnce(statuses: readonly DeliveryStatus[]): number {
  return Math.floor(QUERIES_MAX / (DELIVERY_SHARDS * statuses.length));
}

/** One page of the deliveries of these endpoints, the newest event first. It may be a short one. */
export async function listDeliveries(
  db: Pick<Db, 'getAll' | 'query'>,
  filter: Filter,
  range: Range,
): Promise<Found> {
  const { statuses } = filter;
  const isOpen = statuses?.every((it) => (OPEN_STATUSES as readonly string[]).includes(it));
  const partitions = isOpen ? openPartitions(filter) : allPartitions(filter);
  const found: Delivery[] = [];
  const rounds = Math.min(ROUNDS, Math.max(1, Math.floor(QUERIES_MAX / partitions.length)));
  let { after } = range;
  for (let round = 0; round < rounds; round += 1) {
    const page = await mergePartitions(db, partitions, { limit: range.limit, after });
    const rows = isOpen ? await readRows(db, page.items) : page.items.map(toRow);
    for (const [index, row] of rows.entries()) {
      after = positionOf(page.items[index] ?? {});
      if (!row || (statuses && !statuses.includes(row.status))) continue;
      found.push(row);
      const isLast = !page.hasMore && index === rows.length - 1;
      if (found.length === range.limit) {
        return isLast ? { deliveries: found } : { deliveries: found, next: after };
      }
    }
    if (!page.hasMore || !after) return { deliveries: found };
  }
  return after ? { deliveries: found, next: after } : { deliveries: found };
}

/** Of a megabyte with some thousand entries each, of each shard. */
const COUNTED_PAGES = 4;

/** How many deliveries of an endpoint stand so; beyond a hundred thousand it stops to count. */
export async function countOpen(
  db: Pick<Db, 'query'>,
  { tenantId, id }: { readonly tenantId: string; readonly id: string },
  status: (typeof OPEN_STATUSES)[number],
): Promise<number> {
  const filter = { tenantId, endpointIds: [id], statuses: [status] };
  const counts = await Promise.all(
    openPartitions(filter).map(async (partition) => {
      let [count, pages]: [number, number] = [0, 0];
      for await (const items of pagesOf(db, { table: 'deliveries', ...partition })) {
        count += items.length;
        pages += 1;
        if (pages === COUNTED_PAGES) break;
      }
      return count;
    }),
  );
  return counts.reduce((sum, it) => sum + it, 0);
}

/** Those of one endpoint that have stood so for longest, the oldest event first. */
export async function listOldestOpen(
  db: Pick<Db, 'getAll' | 'query'>,
  filter: Filter,
  limit: number,
): Promise<readonly Delivery[]> {
  const pages = await Promise.all(
    openPartitions(filter).map((it) => db.query({ ...it, table: 'deliveries', limit })),
  );
  const items = pages
    .flatMap((page) => page.items)
    .sort((a, b) => (isBehind(positionOf(a), positionOf(b)) ? -1 : 1));
  return (await readRows(db, items.slice(0, limit))).flatMap((it) => it ?? []);
}

function shards(): number[] {
  return Array.from({ length: DELIVERY_SHARDS }, (_, shard) => shard);
}

function allPartitions({ tenantId, endpointIds }: Filter): Partition[] {
  return endpointIds.flatMap((endpointId) =>
    shards().map((shard) => ({ pk: deliveryPartition(tenantId, endpointId, shard) })),
  );
}

function openPartitions({ tenantId, endpointIds, statuses = [] }: Filter): Partition[] {
  return endpointIds.flatMap((endpointId) =>
    statuses.flatMap((status) =>
      shards().map((shard) => ({
        index: 'open' as const,
        pk: openPartition({ tenantId, endpointId }, status, shard),
      })),
    ),
  );
}

/** The newest entries of all partitions together. Equal events are ordered by partition. */
async function mergePartitions(
  db: Pick<Db, 'query'>,
  partitions: readonly Partition[],
  { limit, after }: Range,
): Promise<{ items: readonly Item[]; hasMore: boolean }> {
  const query = (partition: Partition) =>
    db.query({
      ...partition,
      table: 'deliveries',
      // '~' sorts behind every id.
      sk: { from: 'evt_', to: after?.sk ?? 'evt_~' },
      newestFirst: true,
      // The one where the page before ended may come again.
      limit: limit + 1,
    });
  const pages: Page[] = [];
  for (let start = 0; start < partitions.length; start += AT_ONCE) {
    pages.push(...(await Promise.all(partitions.slice(start, start + AT_ONCE).map(query))));
  }
  const items = pages
    .flatMap((page) => page.items)
    .filter((item) => !after || isBehind(positionOf(item), after))
    .sort((a, b) => (isBehind(positionOf(a), positionOf(b)) ? 1 : -1));
  const hasMore = items.length > limit || pages.some((page) => page.next !== undefined);
  return { items: items.slice(0, limit), hasMore };
}

function positionOf({ pk, sk }: Item): Position {
  return { pk: String(pk), sk: String(sk) };
}

function isBehind(a: Position, b: Position): boolean {
  return a.sk === b.sk ? a.pk < b.pk : a.sk < b.sk;
}

/** Undefined for the sample of an answer, which lies beside its delivery. */
function toRow(item: Item): Delivery | undefined {
  return String(item.sk).includes('#') ? undefined : toDelivery(item);
}

/** The index may be a second old, and holds only keys. */
async function readRows(db: Pick<Db, 'getAll'>, items: readonly Item[]) {
  return findDeliveries(
    db,
    items.map((item) => nameOfKey(positionOf(item))),
  );
}
