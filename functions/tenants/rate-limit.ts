import { SECOND_MS } from '../shared/units.ts';

/** How often somebody may call: so many a second, and so many at once after a rest. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** Whoever has no valid key: 20 at once, and then one more every three seconds. */
export const STRANGER_LIMIT: RateLimit = { perSecond: 20 / 60, burst: 20 };

/** Of two limits the stricter one, in each respect. */
export function stricter(one: RateLimit, other: RateLimit): RateLimit {
  return {
    perSecond: Math.min(one.perSecond, other.perSecond),
    burst: Math.min(one.burst, other.burst),
  };
}

/** An instance reserves what it will need in this time, so that little is left unspent. */
const AHEAD_SECONDS = 0.25;
/** And never more than accrues in this time: it is what a lost instance costs all others. */
const SHARE_SECONDS = 0.1;
/** Below this rate each request reserves its own token. */
const LEASED_FROM_PER_SECOND = 10;

/** How many tokens to reserve at once where so many requests a second have been coming. */
export function leaseSize({ perSecond, burst }: RateLimit, askedPerSecond: number): number {
  if (perSecond < LEASED_FROM_PER_SECOND) return 1;
  const most = Math.min(burst, Math.max(2, Math.floor(perSecond * SHARE_SECONDS)));
  return Math.max(1, Math.min(most, Math.floor(askedPerSecond * AHEAD_SECONDS)));
}

/** An instance that is asked so often uses up what it reserves in time. */
const QUEUE_FROM_PER_SECOND = 8;

/**
 * Whether tokens are reserved before they accrue. It shares an empty bucket without asking again
 * and again, but wastes the tokens of instances that are asked too seldom to use them in time.
 */
export function mayQueue({ perSecond }: RateLimit, askedPerSecond: number): boolean {
  return perSecond >= LEASED_FROM_PER_SECOND && askedPerSecond >= QUEUE_FROM_PER_SECOND;
}

/** Microseconds in a millisecond, the unit of times here: the table adds integers exactly. */
const MS_US = 1_000;

/** How long so many tokens take to accrue, in whole microseconds. */
export function spanUs(count: number, { perSecond }: RateLimit): number {
  return Math.floor((count * SECOND_MS * MS_US) / perSecond);
}

/** How far ahead tokens can be reserved: the whole burst, however its spans are rounded. */
export function depthUs({ perSecond, burst }: RateLimit): number {
  return Math.ceil((burst * SECOND_MS * MS_US) / perSecond);
}

/** A time of the clock in microseconds. */
export function toUs(ms: number): number {
  return ms * MS_US;
}

/** Clocks that differ by less than this agree. */
export const SKEW_US = SECOND_MS * MS_US;

/**
 * So far before they accrue tokens can be reserved. It is the time for which a key can be blocked
 * by instances that took what they reserved into their graves.
 */
export const QUEUE_MS = SECOND_MS;

/**
 * The latest time up to which tokens can be reserved at `nowUs`, by clocks that agree. A later one
 * is that of a larger limit, or this clock is behind: the table is asked before anybody is blocked.
 */
export function horizonUs(limit: RateLimit, nowUs: number): number {
  return nowUs + depthUs(limit) + toUs(QUEUE_MS) + SKEW_US;
}

/** When the bucket will be full again (GCRA's theoretical arrival time), not before now. */
function fullAtUs(limit: RateLimit, tatUs: number | undefined, nowUs: number): number {
  if (tatUs === undefined || tatUs > horizonUs(limit, nowUs)) return nowUs;
  return Math.max(tatUs, nowUs);
}

/** Whether the next tokens come behind those that are reserved, and not from now on. */
export function isBehind(limit: RateLimit, tatUs: number | undefined, nowUs: number): boolean {
  return fullAtUs(limit, tatUs, nowUs) > nowUs;
}

/** Up to when tokens are reserved once so many more are. */
export function reservedUs(
  limit: RateLimit,
  count: number,
  { tatUs, nowUs }: { readonly tatUs: number | undefined; readonly nowUs: number },
): number {
  return fullAtUs(limit, tatUs, nowUs) + spanUs(count, limit);
}

/** How many tokens are in the bucket. */
export function tokensIn(limit: RateLimit, tatUs: number | undefined, nowUs: number): number {
  const roomUs = depthUs(limit) - (fullAtUs(limit, tatUs, nowUs) - nowUs);
  return Math.max(0, Math.floor((roomUs * limit.perSecond) / (SECOND_MS * MS_US) + 1e-9));
}

/** In how many milliseconds the bucket will have so many tokens. */
export function waitForMs(
  limit: RateLimit,
  count: number,
  { tatUs, nowUs }: { readonly tatUs: number | undefined; readonly nowUs: number },
): number {
  const missingUs = spanUs(count, limit) - depthUs(limit);
  return Math.max(0, Math.ceil((fullAtUs(limit, tatUs, nowUs) - nowUs + missingUs) / MS_US));
}
