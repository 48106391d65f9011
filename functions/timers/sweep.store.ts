import * as z from 'zod';
import type { MinuteWatch } from '../shared/minute-watch.ts';
import { minutePartition, msOfSortable } from '../shared/sortable.ts';
import type { Db, Item, Key, TableName, Write } from '../shared/world.ts';

/** How far the sweeper has come on one table. */
export interface Sweep {
  readonly watch: MinuteWatch;
  /** What is due before this had its message already. */
  readonly seenMs: number;
}

/** An item that is due, as the index knows it. */
export interface DueEntry extends Key {
  readonly dueMs: number;
}

/** Stored items are read tolerantly: an unknown field is a later release's. */
const SweepItem = z.object({
  through: z.number(),
  open: z.array(z.number()),
  seen: z.number(),
});

const DueItem = z.object({ pk: z.string(), sk: z.string(), dueSk: z.string() });

function sweepKey(table: TableName): Key {
  return { pk: `W#${table}`, sk: '#' };
}

/** Unconditional: an older tick that comes late only sets the sweeper back. */
export function putSweep(table: TableName, { watch, seenMs }: Sweep): Write {
  const item = { ...sweepKey(table), v: 1, ...watch, seen: seenMs };
  return { kind: 'put', table: 'control', item };
}

/** Undefined for a table that was never swept. */
export async function findSweep(db: Pick<Db, 'get'>, table: TableName): Promise<Sweep | undefined> {
  const item = await db.get('control', sweepKey(table));
  if (!item) return undefined;
  const { through, open, seen } = SweepItem.parse(item);
  return { watch: { through, open }, seenMs: seen };
}

/** Where a table's index `due` is read. */
export interface DuePlace {
  readonly table: TableName;
  readonly minute: number;
  readonly shard: number;
}

/** What is filed under a minute and shard, page by page, the earliest first. */
export async function* listDue(
  db: Pick<Db, 'query'>,
  { table, minute, shard }: DuePlace,
): AsyncGenerator<DueEntry[]> {
  let after: Item | undefined;
  do {
    const pk = minutePartition(minute, shard);
    const page = await db.query({ table, index: 'due', pk, ...(after && { after }) });
    if (page.items.length > 0) yield page.items.map(toEntry);
    after = page.next;
  } while (after);
}

function toEntry(item: Item): DueEntry {
  const { pk, sk, dueSk } = DueItem.parse(item);
  return { pk, sk, dueMs: msOfSortable(dueSk) };
}
