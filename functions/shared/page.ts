import { createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from './problem.ts';
import { MIB } from './units.ts';
import type { Db, Item, Query, World } from './world.ts';

export interface ListRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface List {
  readonly items: readonly Item[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

/**
 * One page of a list. The cursor carries where the page ended, and a MAC over it and `boundTo`
 * (the tenant and the filter), so that it opens no other list. Refuses with `invalid_cursor`.
 */
export async function readPage(
  { db, secrets }: Pick<World, 'db' | 'secrets'>,
  query: Omit<Query, 'limit' | 'after'>,
  { limit, cursor, boundTo }: ListRequest & { readonly boundTo: readonly string[] },
): Promise<List> {
  const key = await secrets.read('cursor-key');
  const after = cursor === undefined ? undefined : openCursor(cursor, boundTo, key);
  // One more than is shown tells whether there is a next page at all.
  const found = await readUpTo(db, query, { limit: limit + 1, after });
  const items = found.slice(0, limit);
  const last = items.at(-1);
  if (!last || found.length <= limit) return { items };
  return { items, nextCursor: makeCursor(positionOf(last, query.index), boundTo, key) };
}

/**
 * All items of a query, in its own pages: `limit` is of each. A page may be empty; the next one is
 * read when it is asked for.
 */
export async function* pagesOf(
  db: Pick<Db, 'query'>,
  query: Omit<Query, 'after'>,
): AsyncGenerator<readonly Item[]> {
  let after: Item | undefined;
  do {
    const page = await db.query({ ...query, ...(after && { after }) });
    yield page.items;
    after = page.next;
  } while (after);
}

/**
 * The first items of a query, behind `after`. An engine may end a page early; only the absence of
 * `next` ends the list.
 */
export async function readUpTo(
  db: Pick<Db, 'query'>,
  query: Omit<Query, 'limit' | 'after'>,
  { limit, after }: { limit: number; after: Item | undefined },
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let next = after;
  do {
    const rest = limit - items.length;
    const page = await db.query({ ...query, limit: rest, ...(next && { after: next }) });
    items.push(...page.items);
    next = page.next;
  } while (next && items.length < limit);
  return items;
}

/** Of the 6 MB that a Lambda may answer: the rest is for what stands around a page. */
const PAGE_BYTES_MAX = 5 * MIB;

/**
 * How many of these objects one answer can carry, from the first on, and that at least. Lambda
 * carries a body as a string within JSON, so each quote in it counts twice.
 */
export function countFitting(objects: readonly object[]): number {
  let bytes = 0;
  const end = objects.findIndex((it) => {
    bytes += Buffer.byteLength(JSON.stringify(JSON.stringify(it)));
    return bytes > PAGE_BYTES_MAX;
  });
  return end === -1 ? objects.length : Math.max(1, end);
}

/** Where a query goes on behind this item: its keys in the table, and in the index if any. */
function positionOf(item: Item, index: Query['index']): Item {
  const names = index ? ['pk', 'sk', `${index}Pk`, `${index}Sk`] : ['pk', 'sk'];
  return Object.fromEntries(names.map((name) => [name, item[name]]));
}

/** Text that only `openCursor` of the same list reads. */
export function makeCursor(next: Item, boundTo: readonly string[], key: string): string {
  const body = Buffer.from(JSON.stringify(next)).toString('base64url');
  return sealed(body, boundTo, key);
}

/**
 * What `makeCursor` was given. Refuses with `invalid_cursor` what it did not make for this list.
 */
export function openCursor(cursor: string, boundTo: readonly string[], key: string): Item {
  const [body = ''] = cursor.split('.', 1);
  const given = Buffer.from(cursor);
  // Rebuilt as it was made and compared as text: base64 can be written in more than one way.
  const wanted = Buffer.from(sealed(body, boundTo, key));
  // Lengths first: timingSafeEqual throws when they differ.
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new Problem('invalid_cursor', { detail: 'Use the nextCursor of the same list.' });
  }
  return JSON.parse(Buffer.from(body, 'base64url').toString()) as Item;
}

function sealed(body: string, boundTo: readonly string[], key: string): string {
  const mac = createHmac('sha256', key).update(JSON.stringify([body, ...boundTo]));
  return `${body}.${mac.digest('base64url')}`;
}
