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
 * record has one of these slots, or none that counts any more: then it gets one behind them. Of an
 * endpoint that is closed no slot counts: what waits is held when its time comes.
 */
export function backlogOf(
  endpoint: Endpoint,
  { pace, waiting: onRecord }: Waiting,
  nowMs: number,
): Backlog {
  const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
  const { blockedUntilMs = 0, tatUs = 0, startMs = 0 } = pace;
  const blocked = blockedUntilMs > nowMs ? { blockedUntilMs } : {};
  if (perSecond === undefined) return { perSecond, ...blocked, waiting: onRecord };
  const rounded = { perSecond: Math.round(perSecond * 1_000) / 1_000, ...blocked };
  if (endpoint.status !== 'active') return { ...rounded, waiting: onRecord };
  const interval = intervalMs(perSecond);
  const freeMs = Math.max(nowMs, blockedUntilMs, startMs);
  const endMs = Math.max(tatUs / 1_000, freeMs);
  // The slot of what is being sent ends with an interval in which nothing goes.
  const slots = Math.floor((endMs - freeMs) / interval + ROUNDING);
  const waiting = Math.max(slots, onRecord);
  if (waiting === 0) return { ...rounded, waiting };
  return { ...rounded, waiting, drainedAtMs: Math.ceil(endMs + (waiting - slots - 1) * interval) };
}

/** Slots are whole milliseconds. */
const ROUNDING = 1e-3;
