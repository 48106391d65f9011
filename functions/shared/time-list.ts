import { readUpTo } from './page.ts';
import { sortableMs } from './sortable.ts';
import type { Db, Item, Query, TableName } from './world.ts';

/** A list that lies in several partitions of an index, each ordered by `<ms>#<id>`. */
export interface TimeList {
  readonly table: TableName;
  readonly index: 'listing' | 'reference';
  readonly partitions: readonly string[];
  /** Inclusive. */
  readonly fromMs?: number | undefined;
  /** Exclusive. */
  readonly toMs?: number | undefined;
  readonly order?: 'newest first' | 'oldest first';
}

export interface TimePage<Found> {
  /** In the order of the list: newest first, unless it says otherwise. */
  readonly items: readonly Found[];
  /** The place where the next page goes on; undefined at the end. */
  readonly next?: string | undefined;
}

export interface TimePageRequest<Found> {
  readonly limit: number;
  /** Where the page before ended. */
  readonly after?: string | undefined;
  /** How many rows are looked at at once, where many of them are not wanted; default: `limit`. */
  readonly rows?: number | undefined;
  /** What the rows stand for, in their order; undefined for one that is not wanted. */
  readonly pick: (rows: readonly Item[]) => Promise<readonly (Found | undefined)[]>;
}

/** Sorts behind every id, and before every later time. */
const LAST = '~';

/** A page may pass over so many times `rows` that are not wanted. The next one goes on there. */
const ROUNDS_MAX = 10;

/** One page of all partitions together. */
export async function readByTime<Found>(
  db: Pick<Db, 'query'>,
  list: TimeList,
  request: TimePageRequest<Found>,
): Promise<TimePage<Found>> {
  const { limit, rows: count = limit, pick } = request;
  const items: Found[] = [];
  let { after } = request;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const found = await merge(db, list, { limit: count + 1, after });
    const rows = found.slice(0, count);
    const picked = await pick(rows);
    for (const [index, row] of rows.entries()) {
      after = placeOf(row, list);
      const item = picked[index];
      if (item !== undefined) items.push(item);
      if (items.length < limit) continue;
      const isMore = found.length > count || picked.slice(index + 1).some((it) => it !== undefined);
      return isMore ? { items, next: after } : { items };
    }
    if (found.length <= count) return { items };
  }
  return { items, next: after };
}

/** The first of all partitions behind `after`. */
async function merge(
  db: Pick<Db, 'query'>,
  list: TimeList,
  { limit, after }: { readonly limit: number; readonly after: string | undefined },
): Promise<Item[]> {
  const newestFirst = list.order !== 'oldest first';
  const { from, to } = rangeOf(list, after);
  if (to < from) return [];
  const read = async (pk: string) => {
    const { table, index } = list;
    const query: Query = { table, index, pk, sk: { from, to }, newestFirst };
    // The one where the page before ended may come again.
    return readUpTo(db, query, { limit: limit + 1, after: undefined });
  };
  const found = (await Promise.all(list.partitions.map(read))).flat();
  // What moves from one partition to another may be seen in both while the index follows.
  const byPlace = new Map(found.map((it) => [placeOf(it, list), it]));
  const isBehind = (a: string, b: string) => (newestFirst ? a < b : a > b);
  return [...byPlace]
    .filter(([place]) => after === undefined || isBehind(place, after))
    .sort(([a], [b]) => (isBehind(a, b) ? 1 : -1))
    .slice(0, limit)
    .map(([, item]) => item);
}

/** What is left of a list behind `after`; both ends are inclusive. */
function rangeOf({ fromMs, toMs, order }: TimeList, after: string | undefined) {
  const from = fromMs === undefined ? '0' : sortableMs(fromMs);
  // A place of this very millisecond sorts behind its bare time.
  const to = toMs === undefined ? LAST : sortableMs(toMs);
  if (after === undefined) return { from, to };
  if (order === 'oldest first') return { from: after > from ? after : from, to };
  return { from, to: after < to ? after : to };
}

/** Where a row stands in its list: `<ms>#<id>`. */
export function placeOf(item: Item, { index }: Pick<TimeList, 'index'>): string {
  return String(item[`${index}Sk`]);
}

/** The id in a place. */
export function idOfPlace(place: string): string {
  return place.slice(place.indexOf('#') + 1);
}
