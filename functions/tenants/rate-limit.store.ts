import { HOUR_MS, SECOND_MS } from '../shared/units.ts';
import type { Item, Key, Write } from '../shared/world.ts';
import { depthUs, horizonUs, type RateLimit, SKEW_US, spanUs } from './rate-limit.ts';

/** Whose bucket it is, how many of its tokens are wanted, and what time it is for the bucket. */
export interface Reservation {
  readonly name: string;
  readonly limit: RateLimit;
  readonly count: number;
  readonly nowUs: number;
  /** By the clock of this instance: the end of the item. */
  readonly nowMs: number;
}

/** Where the bucket of a key or of a client's address lies. */
function bucketKey(name: string): Key {
  return { pk: `R#${name}`, sk: '#' };
}

/** Whether nobody has written by a clock that was ahead of this one. */
const CLOCKS_AGREE = '(attribute_not_exists(#clock) OR #clock <= :soon)';

/**
 * Reserves behind what is reserved already. Refused when nothing is, when too few are left, or
 * when this clock is behind: the item tells by how much.
 */
export function reserveBehind({ name, limit, count, nowUs, nowMs }: Reservation): Write {
  const span = spanUs(count, limit);
  return {
    kind: 'update',
    table: 'control',
    key: bucketKey(name),
    update: 'SET tat = tat + :span, #clock = :now, #ttl = :ttl',
    answersItem: true,
    condition: `tat > :now AND tat <= :latest AND ${CLOCKS_AGREE}`,
    names: { '#clock': 'clock', '#ttl': 'ttl' },
    values: {
      ':span': span,
      ':now': nowUs,
      ':latest': nowUs + depthUs(limit) - span,
      ':soon': nowUs + SKEW_US,
      ':ttl': endOf(limit, nowMs),
    },
  };
}

/**
 * Reserves from a full bucket. Refused when it is not full. What is reserved becomes less only
 * where a larger limit must have reserved it, and never by a clock that is behind.
 */
export function reserveFromNow({ name, limit, count, nowUs, nowMs }: Reservation): Write {
  return {
    kind: 'update',
    table: 'control',
    key: bucketKey(name),
    update: 'SET v = :v, tat = :end, #clock = :now, #ttl = :ttl',
    answersItem: true,
    condition: `attribute_not_exists(tat) OR tat <= :now OR (tat > :horizon AND ${CLOCKS_AGREE})`,
    names: { '#clock': 'clock', '#ttl': 'ttl' },
    values: {
      ...{ ':v': 1, ':end': nowUs + spanUs(count, limit) },
      ':now': nowUs,
      ':horizon': horizonUs(limit, nowUs),
      ':soon': nowUs + SKEW_US,
      ':ttl': endOf(limit, nowMs),
    },
  };
}

/** Long after the bucket is full again it is the same as none. */
function endOf(limit: RateLimit, nowMs: number): number {
  const fullMs = (limit.burst / limit.perSecond) * SECOND_MS;
  return Math.ceil((nowMs + fullMs + HOUR_MS) / SECOND_MS);
}

/** Up to when tokens are reserved, in microseconds. */
export function tatOf(item: Item | undefined): number | undefined {
  return typeof item?.tat === 'number' ? item.tat : undefined;
}

/** What time it was for whoever reserved last, in microseconds. */
export function clockOf(item: Item | undefined): number | undefined {
  return typeof item?.clock === 'number' ? item.clock : undefined;
}
