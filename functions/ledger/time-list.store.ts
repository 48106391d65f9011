import { makeCursor, openCursor, readUpTo } from '../shared/page.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Query, World } from '../shared/world.ts';

/** A list that lies in several partitions of an index, each ordered by `<ms>#<id>`. */
export interface TimeList {
  readonly index: 'listing' | 'reference';
  readonly partitions: readonly string[];
  /** Inclusive. */
  readonly fromMs?: number | undefined;
  /** Exclusive. */
  readonly toMs?: number | undefined;
}

export interface TimePage {
  /** Keys of the index, newest first. */
  readonly items: readonly Item[];
  readonly nextCursor?: string;
}

export interface TimePageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly boundTo: readonly string[];
  /** Whether an item is shown, where the index itself cannot tell. */
  readonly isWanted?: (items: readonly Item[]) => Promise<readonly boolean[]>;
}

/** Sorts behind every id, and before every later time. */
const LAST = '~';

/** A page may pass over so many rows that are not wanted, in pages. The next one goes on there. */
const ROUNDS_MAX = 10;

/** One page of all partitions together. Refuses with `invalid_cursor`. */
export async function readByTime(
  { db, secrets }: Pick<World, 'db' | 'secrets'>,
  list: TimeList,
  { limit, cursor, boundTo, isWanted }: TimePageRequest,
): Promise<TimePage> {
  const key = await secrets.read('cursor-key');
  const items: Item[] = [];
  let after = cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at);
  const pageUpTo = () => ({ items, nextCursor: makeCursor({ at: after }, boundTo, key) });
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const found = await merge(db, list, { limit: limit + 1, after });
    const looked = found.slice(0, limit);
    const wanted = isWanted ? await isWanted(looked) : looked.map(() => true);
    for (const [index, item] of looked.entries()) {
      after = placeOf(item, list);
      if (wanted[index]) items.push(item);
      const isLast = index === found.length - 1;
      if (items.length === limit) return isLast ? { items } : pageUpTo();
    }
    if (found.length <= limit) return { items };
  }
  return pageUpTo();
}

/** The newest of all partitions below `after`. */
async function merge(
  db: Db,
  list: TimeList,
  { limit, after }: { readonly limit: number; readonly after: string | undefined },
): Promise<Item[]> {
  const from = list.fromMs === undefined ? '0' : sortableMs(list.fromMs);
  // A place of this very millisecond sorts behind its bare time.
  const end = list.toMs === undefined ? LAST : sortableMs(list.toMs);
  const to = after !== undefined && after < end ? after : end;
  if (to < from) return [];
  const read = async (pk: string) => {
    const query: Query = { table: 'ledger', index: list.index, pk, sk: { from, to } };
    // The one where the page before ended may come again.
    const range = { limit: limit + 1, after: undefined };
    return readUpTo(db, { ...query, newestFirst: true }, range);
  };
  const found = (await Promise.all(list.partitions.map(read))).flat();
  return found
    .filter((it) => after === undefined || placeOf(it, list) < after)
    .sort((a, b) => (placeOf(a, list) < placeOf(b, list) ? 1 : -1))
    .slice(0, limit);
}

function placeOf(item: Item, { index }: TimeList): string {
  return String(item[`${index}Sk`]);
}
