import { METER_SHARDS, shardPartition } from '../shared/flush-meters.ts';
import { pagesOf } from '../shared/page.ts';
import type { Db, Item } from '../shared/world.ts';

/** The sum of what all instances of all functions have counted, by stored series. */
export async function readTotals(db: Pick<Db, 'query'>): Promise<ReadonlyMap<string, number>> {
  const shards = Array.from({ length: METER_SHARDS }, (_, shard) => shard);
  const items = await Promise.all(shards.map((shard) => readShard(db, shard)));
  const totals = new Map<string, number>();
  for (const [series, count] of items.flat().flatMap((it) => Object.entries(it))) {
    const isCount = typeof count === 'number' || typeof count === 'bigint';
    if (isCount) totals.set(series, (totals.get(series) ?? 0) + Number(count));
  }
  return totals;
}

/** Each item in it is what some instances of one function have counted. */
async function readShard(db: Pick<Db, 'query'>, shard: number): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of pagesOf(db, { table: 'meters', pk: shardPartition(shard) })) {
    items.push(...page);
  }
  return items;
}
