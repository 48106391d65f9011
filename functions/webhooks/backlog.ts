import type { Endpoint } from './endpoint.ts';
import { intervalMs, limitOf, type Pace, rateAt } from './pace.ts';

/** What an endpoint gets, and how much of it is promised already. */
export interface Backlog {
  /** Undefined: as much as there is. */
  readonly perSecond?: number | undefined;
  /** Only while it is ahead. */
  readonly blockedUntilMs?: number | undefined;
  /** Slots that are given and ahead, and what waits without one that counts. */
  readonly waiting: number;
  /** When the last of them goes, if it has a slot or there is a rate. */
  readonly drainedAtMs?: number | undefined;
}

/** The pace of an endpoint, and how many of its deliveries are on record as waiting. */
export interface Waiting {
  readonly pace: Pace;
  readonly waiting: number;
}

/**
 * What the pace of an endpoint says at this time. During a block nothing has a slot. What waits on
 * record has one of these slots, or none that counts any more: then it gets one behind them.
 */
export function backlogOf(
  endpoint: Endpoint,
  { pace, waiting: onRecord }: Waiting,
  nowMs: number,
): Backlog {
  const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
  const { blockedUntilMs = 0, tatUs = 0 } = pace;
  const blocked = blockedUntilMs > nowMs ? { blockedUntilMs } : {};
  if (perSecond === undefined) return { perSecond, ...blocked, waiting: onRecord };
  const interval = intervalMs(perSecond);
  const startMs = Math.max(nowMs, blockedUntilMs);
  const endMs = Math.max(tatUs / 1_000, startMs);
  const slots = endMs > startMs ? Math.max(1, Math.round((endMs - startMs) / interval)) : 0;
  const waiting = Math.max(slots, onRecord);
  if (waiting === 0) return { perSecond, ...blocked, waiting };
  const drainedAtMs = Math.ceil(endMs + (waiting - slots) * interval);
  return { perSecond, ...blocked, waiting, drainedAtMs };
}
