import * as z from 'zod';
import type { MinuteWatch } from '../shared/minute-watch.ts';
import { pagesOf } from '../shared/page.ts';
import { msOfSortable } from '../shared/sortable.ts';
import type { Db, Item, Key, TableName, Write } from '../shared/world.ts';

/** How far the sweeper has come on one table. */
export interface Sweep {
  readonly watch: MinuteWatch;
  /** What is due before this had its message already, unless it lies behind a stop. */
  readonly seenMs: number;
  /** The first `dueSk` without its message, by the partition of the index that was left there. */
  readonly stops: Readonly<Record<string, string>>;
  /** Minutes that may still get entries, and have some. */
  readonly busy: readonly number[];
}

/** An item that is due, as the index knows it. */
export interface DueEntry extends Key {
  readonly dueMs: number;
  readonly dueSk: string;
}

const OpenItem = z.object({
  minute: z.number(),
  againMs: z.number(),
  sends: z.object({ count: z.number(), sinceMs: z.number() }).optional(),
});

/** Stored items are read tolerantly: an unknown field is a later release's. */
const SweepItem = z.object({
  through: z.number(),
  open: z.array(OpenItem),
  seen: z.number(),
  stops: z.record(z.string(), z.string()).default({}),
  busy: z.array(z.number()).default([]),
});

const DueItem = z.object({ pk: z.string(), sk: z.string(), dueSk: z.string().regex(/^\d{13}#/) });

function sweepKey(table: TableName): Key {
  return { pk: `W#${table}`, sk: '#' };
}

/** Unconditional: an older tick that comes late only sets the sweeper back. */
export function putSweep(table: TableName, { watch, seenMs, ...rest }: Sweep): Write {
  const item = { ...sweepKey(table), v: 1, ...watch, seen: seenMs, ...rest };
  return { kind: 'put', table: 'control', item };
}

/** Undefined for a table that was never swept. */
export async function findSweep(db: Pick<Db, 'get'>, table: TableName): Promise<Sweep | undefined> {
  const item = await db.get('control', sweepKey(table));
  if (!item) return undefined;
  const { through, open, seen, stops, busy } = SweepItem.parse(item);
  return { watch: { through, open }, seenMs: seen, stops, busy };
}

/** Where a table's index `due` is read. */
export interface DuePlace {
  readonly table: TableName;
  /** A minute and a shard. */
  readonly partition: string;
  /** The first `dueSk` to read; without one it is the first that there is. */
  readonly from?: string | undefined;
}

export interface DuePage {
  readonly entries: readonly DueEntry[];
  /** How many rows of the index name no time. */
  readonly unreadable: number;
}

/** Sorts behind every time. */
export const LAST_SK = ':';

/** What is filed under a minute and shard, page by page, the earliest first. */
export async function* listDue(
  db: Pick<Db, 'query'>,
  { table, partition: pk, from }: DuePlace,
): AsyncGenerator<DuePage> {
  const sk = from === undefined ? {} : { sk: { from, to: LAST_SK } };
  for await (const items of pagesOf(db, { table, index: 'due', pk, ...sk })) {
    const entries = items.flatMap(toEntry);
    if (items.length > 0) yield { entries, unreadable: items.length - entries.length };
  }
}

function toEntry(item: Item): DueEntry[] {
  const { success, data } = DueItem.safeParse(item);
  return success ? [{ ...data, dueMs: msOfSortable(data.dueSk) }] : [];
}
