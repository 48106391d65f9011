import { DAY_MS, SECOND_MS } from '../shared/units.ts';

/** So many events an instance reserves at once, at most: what one that dies takes with it. */
const AHEAD_MAX = 100;
/** Of what is left of the day, so that the last events are not spread over idle instances. */
const SHARE = 0.1;

/** The day of a time, in days since 1970, UTC. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/**
 * How many events to reserve where `needed` are asked for, `asked` were lately, and `used` of the
 * day's `limit` are reserved by anybody. At least `needed`.
 */
export function reserveSize({
  needed,
  asked,
  limit,
  used,
}: {
  readonly needed: number;
  readonly asked: number;
  readonly limit: number;
  readonly used: number;
}): number {
  const share = Math.floor((limit - used) * SHARE);
  return Math.max(needed, Math.min(asked, AHEAD_MAX, share));
}

/** In how many seconds the next day begins. */
export function secondsToMidnight(nowMs: number): number {
  return Math.max(1, Math.ceil(((dayOf(nowMs) + 1) * DAY_MS - nowMs) / SECOND_MS));
}
