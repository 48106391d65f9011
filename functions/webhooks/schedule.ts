import { HOUR_MS, SECOND_MS } from '../shared/units.ts';
import type { RetryPlan } from './endpoint.ts';

/** How many attempts a delivery has when its endpoint does not say. */
export const ATTEMPTS_DEFAULT = 11;

/** Seconds after the previous attempt: 5 s, 1 min, 5 min, 30 min, then 2 to 24 hours. */
const DEFAULT_SECONDS = [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/** What a `test` tenant waits, of that. */
const TEST_SHARE = 1 / 100;

/** After this time since the first attempt a delivery is over, whatever is left of its plan. */
export const LIFETIME_MS = 96 * HOUR_MS;

/**
 * How long to wait after the `spent`th attempt, before any `Retry-After`. Spread by a fifth
 * either way, so that receivers which failed together are not asked together again. `random` is
 * in [0, 1). A plan that is used up repeats its last step. A schedule of the tenant's own is as it
 * says, also that of a `test` tenant.
 */
export function stepMs(plan: RetryPlan, spent: number, random: number): number {
  const { scheduleSeconds, isTest } = plan;
  const seconds = scheduleSeconds ?? DEFAULT_SECONDS;
  const share = isTest && !scheduleSeconds ? TEST_SHARE : 1;
  const step = seconds[Math.min(spent, seconds.length) - 1] ?? 0;
  return Math.round(step * share * SECOND_MS * (0.8 + 0.4 * random));
}
