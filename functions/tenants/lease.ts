import { depthUs, type RateLimit, spanUs, tokensIn, toUs } from './rate-limit.ts';

/** Tokens that an instance has reserved, maybe before they accrue. */
export interface Lease {
  /** How many of them are not spent. */
  left: number;
  /** When the last one has accrued, by the clock of the bucket. */
  readonly readyUs: number;
  /** Until when they can be spent, by the same clock. */
  readonly untilUs: number;
  /** How many others were in the bucket then: what accrues later may be reserved elsewhere. */
  readonly others: number;
}

/**
 * How long a token that an instance has reserved can be spent once it has accrued. In any time T
 * all instances together admit no more than the burst and what accrues in T and this time, however
 * many they are: 5 % above the limit in ten seconds. Tokens that an instance took into its grave
 * are reserved for no longer than they took to accrue.
 */
export const LEASE_MS = 500;

export const NO_LEASE: Lease = { left: 0, readyUs: 0, untilUs: 0, others: 0 };

/** So many tokens, reserved now, where this is up to when all are. */
export function leaseOf(
  limit: RateLimit,
  left: number,
  { tatUs, nowUs }: { readonly tatUs: number; readonly nowUs: number },
): Lease {
  const readyUs = tatUs - depthUs(limit);
  const firstUs = Math.max(nowUs, readyUs - spanUs(left - 1, limit));
  const others = tokensIn(limit, tatUs, nowUs);
  return { left, readyUs, untilUs: firstUs + toUs(LEASE_MS), others };
}

/** When the next of its tokens has accrued. */
export function nextUs({ left, readyUs }: Lease, limit: RateLimit): number {
  return readyUs - spanUs(left - 1, limit);
}
