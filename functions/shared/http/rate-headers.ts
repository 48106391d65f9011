import { SECOND_MS } from '../units.ts';

/** The state of a caller's limit after a request. */
export interface RateState {
  readonly perSecond: number;
  /** Requests that may follow at once. */
  readonly remaining: number;
  /** When none may: in how many milliseconds one may. */
  readonly waitMs: number;
}

/**
 * The headers of draft-ietf-httpapi-ratelimit-headers: the quota of each second, and what is left
 * of it now. A burst may be above the quota; the headers never promise more than that.
 */
export function rateHeaders({ perSecond, remaining, waitMs }: RateState): Record<string, string> {
  const left = Math.min(remaining, perSecond);
  return {
    'ratelimit-policy': `"default";q=${perSecond};w=1`,
    ratelimit: `"default";r=${left};t=${wholeSeconds(waitMs)}`,
  };
}

/** With jitter of up to a half: those who were refused together must not come back together. */
export function retryAfterSeconds(waitMs: number, random: number): number {
  const seconds = wholeSeconds(waitMs);
  return seconds + Math.floor(random * (1 + seconds / 2));
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / SECOND_MS));
}
