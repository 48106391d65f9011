import { shardOf } from '../shared/ids/derive.ts';
import { MINUTE_MS } from '../shared/units.ts';
import type { Key } from '../shared/world.ts';

/** How many partitions one minute of an index `due` is spread over. */
export const DUE_SHARDS = 16;

/** The attributes that put an item on the sparse index `due`. Without them it is not on it. */
export interface DueAttributes {
  readonly duePk: string;
  readonly dueSk: string;
}

/** The partition of a minute (since 1970, UTC) and shard: `202611211030#7`. */
export function duePartition(minute: number, shard: number): string {
  const at = new Date(minute * MINUTE_MS).toISOString();
  return `${at.slice(0, 16).replaceAll(/[-T:]/g, '')}#${shard}`;
}

/**
 * Says that somebody must look at the item at `dueMs`. A time that is past already is filed
 * under this minute, because the sweeper may have passed the minute that it belongs to.
 */
export function dueAttributes(key: Key, dueMs: number, nowMs: number): DueAttributes {
  const minute = Math.floor(Math.max(dueMs, nowMs) / MINUTE_MS);
  const name = `${key.pk}#${key.sk}`;
  return {
    duePk: duePartition(minute, shardOf(name, DUE_SHARDS)),
    dueSk: `${padMs(dueMs)}#${name}`,
  };
}

/** When an entry of the index is due, in milliseconds since 1970. */
export function dueMsOf(dueSk: string): number {
  return Number(dueSk.slice(0, MS_DIGITS));
}

/** Digits of a time in milliseconds until the year 2286, so that text sorts as time. */
const MS_DIGITS = 13;

function padMs(ms: number): string {
  return String(ms).padStart(MS_DIGITS, '0');
}
