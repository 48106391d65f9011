import { type Batch, type InstanceMeters, storedName } from './meters.ts';
import type { Key, World, Write } from './world.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'> & { readonly meters: InstanceMeters };

/** Over how many items a function's counts are spread: many instances do not wait for another. */
export const METER_SHARDS = 8;

/** The partition of one share. What one function has counted is one item in it. */
export function shardPartition(shard: number): string {
  return `shard#${shard}`;
}

/**
 * Adds what this instance has counted to what all have: one write in ten seconds. Undefined if
 * there is nothing to do. What the table does not take is added the next time; nobody is refused
 * for it. A write whose answer was lost is made again, and adds nothing then, unless another
 * instance wrote to the same item between the two. What a damaged item refuses goes to another one.
 */
export function flushMeters(world: Needs): Promise<void> | undefined {
  const batch = world.meters.take(world.clock.nowMs(), world.ids.random());
  return batch && write(batch, world);
}

async function write(batch: Batch, { db, log, meters }: Needs): Promise<void> {
  const key = { pk: shardPartition(Math.floor(batch.mark * METER_SHARDS)), sk: meters.entry };
  try {
    const commit = await db.commit([addBatch(key, batch)]);
    const isAdded = commit.ok || commit.reasons[0]?.code === 'condition';
    if (!isAdded) throw new Error('the table did not take it');
    meters.settle();
  } catch (error) {
    // Something in the item is no number: then it takes no count, and nothing was added to it.
    const isDamaged = (error as Error).name === 'ValidationException';
    const next = (batch.mark + 1 / METER_SHARDS) % 1;
    meters.settle(isDamaged ? { ...batch, mark: next } : batch);
    log.warn('meters.kept', { error, ...key });
  }
}

/** Refused where the last write to the item was this one. */
function addBatch(key: Key, { counts, mark }: Batch): Write {
  const all = [...counts];
  return {
    kind: 'update',
    table: 'meters',
    key,
    condition: 'attribute_not_exists(#last) OR #last <> :last',
    update: `SET #last = :last ADD ${all.map((_, n) => `#${n} :${n}`).join(', ')}`,
    names: {
      '#last': 'last',
      ...Object.fromEntries(all.map(([series], n) => [`#${n}`, storedName(series)])),
    },
    values: {
      ':last': mark.toString(36).slice(2, 10),
      ...Object.fromEntries(all.map(([, by], n) => [`:${n}`, by])),
    },
  };
}
