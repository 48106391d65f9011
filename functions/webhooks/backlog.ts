import type { Endpoint } from './endpoint.ts';
import { intervalMs, limitOf, type Pace, rateAt } from './pace.ts';

/** What an endpoint gets, and how much of it is promised already. */
export interface Backlog {
  /** Undefined: as much as there is. */
  readonly perSecond?: number | undefined;
  /** Only while it is ahead. */
  readonly blockedUntilMs?: number | undefined;
  /** Slots that are given and ahead; without a rate there are none. */
  readonly waiting: number;
  /** When the last of them is. */
  readonly drainedAtMs?: number | undefined;
}

/** What the pace of an endpoint says at this time. During a block nothing has a slot. */
export function backlogOf(endpoint: Endpoint, pace: Pace, nowMs: number): Backlog {
  const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
  const { blockedUntilMs = 0, tatUs = 0 } = pace;
  const blocked = blockedUntilMs > nowMs ? { blockedUntilMs } : {};
  const endMs = tatUs / 1_000;
  const aheadMs = endMs - Math.max(nowMs, blockedUntilMs);
  if (perSecond === undefined || aheadMs <= 0) return { perSecond, ...blocked, waiting: 0 };
  const waiting = Math.max(1, Math.round(aheadMs / intervalMs(perSecond)));
  return { perSecond, ...blocked, waiting, drainedAtMs: Math.ceil(endMs) };
}
