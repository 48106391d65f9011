import { shardOf } from '../shared/ids/derive.ts';
import { minutePartition, sortableMs } from '../shared/sortable.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { Key } from '../shared/world.ts';

/** How many partitions one minute of an index `due` is spread over. */
export const DUE_SHARDS = 16;

/**
 * What is due within this time of being stored needs a message of its own. The sweeper looks two
 * minutes ahead, once a minute, so that it may see it late. And a little more: its clock may be
 * fast, and the index that it looks at follows a write.
 */
export const SOON_MS = 3 * MINUTE_MS + 15 * SECOND_MS;

/** The attributes that put an item on the sparse index `due`. Without them it is not on it. */
export interface DueAttributes {
  readonly duePk: string;
  readonly dueSk: string;
}

/**
 * Says that somebody must look at the item at `dueMs`. A time that is past already is filed
 * under this minute, because the sweeper may have passed the minute that it belongs to.
 */
export function dueAttributes(key: Key, dueMs: number, nowMs: number): DueAttributes {
  const minute = Math.floor(Math.max(dueMs, nowMs) / MINUTE_MS);
  const name = `${key.pk}#${key.sk}`;
  return {
    duePk: minutePartition(minute, shardOf(name, DUE_SHARDS)),
    dueSk: `${sortableMs(dueMs)}#${name}`,
  };
}
