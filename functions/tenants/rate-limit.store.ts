import { HOUR_MS, SECOND_MS } from '../shared/units.ts';
import type { Item, Key, Write } from '../shared/world.ts';
import { depthUs, horizonUs, type RateLimit, spanUs, toUs } from './rate-limit.ts';

/** Whose bucket it is, and how many of its tokens are wanted at what time. */
export interface Reservation {
  readonly name: string;
  readonly limit: RateLimit;
  readonly count: number;
  readonly nowMs: number;
}

/** Where the bucket of a key or of a client's address lies. */
function bucketKey(name: string): Key {
  return { pk: `R#${name}`, sk: '#' };
}

/** Reserves behind what is reserved already. Refused when nothing is, or too few are left. */
export function reserveBehind({ name, limit, count, nowMs }: Reservation): Write {
  const span = spanUs(count, limit);
  return {
    kind: 'update',
    table: 'control',
    key: bucketKey(name),
    update: 'SET tat = tat + :span, #ttl = :ttl',
    answersItem: true,
    condition: 'tat > :now AND tat <= :latest',
    names: { '#ttl': 'ttl' },
    values: {
      ':span': span,
      ':now': toUs(nowMs),
      ':latest': toUs(nowMs) + depthUs(limit) - span,
      ':ttl': endOf(limit, nowMs),
    },
  };
}

/** Reserves from a full bucket. Refused when it is not full, as far as a right clock can tell. */
export function reserveFromNow({ name, limit, count, nowMs }: Reservation): Write {
  return {
    kind: 'update',
    table: 'control',
    key: bucketKey(name),
    update: 'SET tat = :end, #ttl = :ttl',
    answersItem: true,
    condition: 'attribute_not_exists(tat) OR tat <= :now OR tat > :horizon',
    names: { '#ttl': 'ttl' },
    values: {
      ':end': toUs(nowMs) + spanUs(count, limit),
      ':now': toUs(nowMs),
      ':horizon': horizonUs(limit, toUs(nowMs)),
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
