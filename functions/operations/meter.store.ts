import { METER_SHARDS, shardPartition } from '../shared/flush-meters.ts';
import type { Counts } from '../shared/meters.ts';
import { pagesOf } from '../shared/page.ts';
import type { Db, Item } from '../shared/world.ts';

/** An item with something in it that is no count. All else in it counts. */
export interface DamagedRow {
  readonly pk: string;
  readonly sk: string;
  /** What that is called. */
  readonly fields: readonly string[];
}

/** What the table knows. */
export interface Totals {
  /** By stored series. */
  readonly counts: Counts;
  readonly damaged: readonly DamagedRow[];
}

/** The sum of what all instances of all functions have counted. */
export async function readTotals(db: Pick<Db, 'query'>): Promise<Totals> {
  const shards = Array.from({ length: METER_SHARDS }, (_, shard) => shard);
  const items = await Promise.all(shards.map((shard) => readShard(db, shard)));
  const counts = new Map<string, number>();
  const damaged: DamagedRow[] = [];
  for (const { pk, sk, last: _last, ...row } of items.flat()) {
    const fields: string[] = [];
    for (const [series, count] of Object.entries(row)) {
      if (isCount(count)) counts.set(series, (counts.get(series) ?? 0) + Number(count));
      else fields.push(series);
    }
    fields.sort();
    if (fields.length > 0) damaged.push({ pk: String(pk), sk: String(sk), fields });
  }
  return { counts, damaged };
}

/** Instances add whole numbers, and never less than nothing. */
function isCount(value: unknown): value is number | bigint {
  const isWhole = typeof value === 'bigint' || Number.isInteger(value);
  return isWhole && Number(value) >= 0;
}

/** Each item in it is what some instances of one function have counted. */
async function readShard(db: Pick<Db, 'query'>, shard: number): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of pagesOf(db, { table: 'meters', pk: shardPartition(shard) })) {
    items.push(...page);
  }
  return items;
}
