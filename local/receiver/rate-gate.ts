/** Admits at most so many per second, in bursts of a second's worth, and of one at least. */
export interface RateGate {
  /** 0 when one more is admitted now, which takes its place; else the milliseconds to wait. */
  waitMs(nowMs: number): number;
}

/** `perSecond` may be a fraction: 0.5 is one every two seconds. 0 admits everything. */
export function openRateGate(perSecond: number): RateGate {
  if (perSecond === 0) return { waitMs: () => 0 };

  const intervalMs = 1_000 / perSecond;
  const burstMs = Math.max(1_000, intervalMs) - intervalMs;
  let nextMs = 0;
  return {
    waitMs(nowMs) {
      const earlyMs = nextMs - burstMs - nowMs;
      if (earlyMs > 0) return earlyMs;
      nextMs = Math.max(nextMs, nowMs) + intervalMs;
      return 0;
    },
  };
}
