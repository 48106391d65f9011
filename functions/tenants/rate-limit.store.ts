import { HOUR_MS, SECOND_MS } from '../shared/units.ts';
import type { Item, Key, Write } from '../shared/world.ts';
import { depthUs, horizonUs, type RateLimit, SKEW_US, spanUs, toUs } from './rate-limit.ts';

/** Whose bucket it is, how many of its tokens are wanted, and what time it is for the bucket. */
export interface Reservation {
  readonly name: string;
  readonly limit: RateLimit;
  readonly count: number;
  /** How long before they accrue they may be reserved. */
  readonly queueMs: number;
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
export function reserveBehind(reservation: Reservation): Write {
  const { limit, count, queueMs, nowUs } = reservation;
  const span = spanUs(count, limit);
  return reserving(reservation, {
    change: 'tat = tat + :span',
    condition: `tat > :now AND tat <= :latest AND ${CLOCKS_AGREE}`,
    values: { ':span': span, ':latest': nowUs + depthUs(limit) + toUs(queueMs) - span },
  });
}

/**
 * Reserves from a full bucket. Refused when it is not full. What is reserved becomes less only
 * where a larger limit must have reserved it, and never by a clock that is behind.
 */
export function reserveFromNow(reservation: Reservation): Write {
  const { limit, count, nowUs } = reservation;
  const end = nowUs + spanUs(count, limit);
  return reserving(reservation, {
    change: 'v = :v, tat = :end',
    condition: `attribute_not_exists(tat) OR tat <= :now OR (tat > :horizon AND ${CLOCKS_AGREE})`,
    values: { ':v': 1, ':end': end, ':horizon': horizonUs(limit, nowUs) },
  });
}

interface Form {
  readonly change: string;
  readonly condition: string;
  readonly values: Item;
}

function reserving(
  { name, limit, nowUs, nowMs }: Reservation,
  { change, condition, values }: Form,
): Write {
  return {
    kind: 'update',
    table: 'control',
    key: bucketKey(name),
    update: `SET ${change}, #clock = :now, #ttl = :ttl`,
    answersItem: true,
    condition,
    names: { '#clock': 'clock', '#ttl': 'ttl' },
    values: {
      ...values,
      ':now': nowUs,
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
