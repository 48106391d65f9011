import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';

/** How far the sweeper has come on one table. Minutes are counted since 1970. */
export interface Sweep {
  /** Every minute before this one is empty and stays so. */
  readonly fromMinute: number;
  /** What was due before this had its message already, from the sweeper or whoever wrote it. */
  readonly seenMs: number;
}

/** How far ahead the sweeper looks: nearer than the delay of a message can be. */
export const HORIZON_MS = 2 * MINUTE_MS;

/** Clocks differ, and an index lags: an empty minute may still get an entry for so long. */
const SETTLING_MS = 10 * MINUTE_MS;

/** How far the very first tick of an installation looks back. */
const FIRST_LOOK_MINUTES = 60;

/** What is overdue is sent again: each minute for a while, then every five minutes. */
const OVERDUE_MS = 30 * SECOND_MS;
const EACH_TICK_MS = OVERDUE_MS + 3 * MINUTE_MS;
const THEN_EVERY_MINUTES = 5;

/** The sweep of a table that was never swept. */
export function firstSweep(nowMs: number): Sweep {
  return { fromMinute: minuteOf(nowMs) - FIRST_LOOK_MINUTES, seenMs: 0 };
}

/** The minutes to look at, the oldest first. */
export function minutesToSweep({ fromMinute }: Sweep, nowMs: number): number[] {
  const last = minuteOf(nowMs + HORIZON_MS);
  return Array.from({ length: Math.max(0, last - fromMinute + 1) }, (_, i) => fromMinute + i);
}

/**
 * Whether this tick sends the message of an entry: when it is seen for the first time, or when
 * the message that it had does not seem to have done its work.
 */
export function needsMessage(dueMs: number, { seenMs }: Sweep, nowMs: number): boolean {
  if (dueMs >= seenMs) return true;
  const overdueMs = nowMs - dueMs;
  if (overdueMs < OVERDUE_MS) return false;
  if (overdueMs < EACH_TICK_MS) return true;
  return Math.floor(overdueMs / MINUTE_MS) % THEN_EVERY_MINUTES === 0;
}

/** When the message is to arrive: a second early, because the consumer waits for the rest. */
export function messageTimeMs(dueMs: number, nowMs: number): number {
  const delaySeconds = Math.max(0, Math.floor((dueMs - nowMs) / SECOND_MS) - 1);
  return nowMs + delaySeconds * SECOND_MS;
}

/** What a tick has looked at: all minutes up to `minute`, of which the first ones were empty. */
export interface Swept {
  readonly firstFull: number;
  readonly through: number;
}

/** The sweep after a tick. It moves past a minute only when that is empty and settled. */
export function afterTick(sweep: Sweep, { firstFull, through }: Swept, nowMs: number): Sweep {
  const settled = minuteOf(nowMs - SETTLING_MS);
  return {
    fromMinute: Math.max(sweep.fromMinute, Math.min(firstFull, settled)),
    seenMs: Math.max(sweep.seenMs, (through + 1) * MINUTE_MS),
  };
}

function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}
