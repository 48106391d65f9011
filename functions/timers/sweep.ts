import type { Sends } from '../shared/minute-watch.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../shared/units.ts';

/** How far the sweeper looks ahead: nearer than the delay of a message can be. */
export const HORIZON_MS = 2 * MINUTE_MS;

/** Clocks differ, and an index lags: a past minute may still get an entry for so long. */
export const SETTLING_MS = 10 * MINUTE_MS;

/** A minute that was empty gets entries from a clock that is slow, or an index that lags. */
const QUIET_MINUTES = [3, 4, 5, 6, 7, 8, 9];

/**
 * Whether a minute that was empty when it was looked at last need not be looked at now: it is
 * looked at again after two minutes, and when nothing new can come to it any more.
 */
export function isQuiet(minute: number, nowMs: number): boolean {
  return QUIET_MINUTES.includes(Math.floor(nowMs / MINUTE_MS) - minute);
}

/** What is overdue is sent again: each minute for a while, then every five minutes. */
const OVERDUE_MS = 30 * SECOND_MS;
const EACH_TICK_MS = OVERDUE_MS + 3 * MINUTE_MS;
const THEN_EVERY_MINUTES = 5;

/**
 * Whether this tick sends the message of an entry: when it is seen for the first time, or when
 * the message that it had does not seem to have done its work. What is due before `seenMs` had
 * its message already, from the sweeper or from whoever wrote the entry.
 */
export function needsMessage(dueMs: number, seenMs: number, nowMs: number): boolean {
  if (dueMs >= seenMs) return true;
  if (!isOverdue(dueMs, nowMs)) return false;
  const overdueMs = nowMs - dueMs;
  if (overdueMs < EACH_TICK_MS) return true;
  return Math.floor(overdueMs / MINUTE_MS) % THEN_EVERY_MINUTES === 0;
}

/** Whether what had its message may need another one by now. */
export function isOverdue(dueMs: number, nowMs: number): boolean {
  return nowMs - dueMs >= OVERDUE_MS;
}

/** When the message is to arrive: a second early, because the consumer waits for the rest. */
export function messageTimeMs(dueMs: number, nowMs: number): number {
  const delaySeconds = Math.max(0, Math.floor((dueMs - nowMs) / SECOND_MS) - 1);
  return nowMs + delaySeconds * SECOND_MS;
}

/** What was handed on so often, and over so long, and is still due, is not going to be done. */
const STUCK_SENDS = 10;
const STUCK_MS = 6 * HOUR_MS;

/**
 * Whether the work of a minute is given up. It is counted by what the sweeper has sent, and not
 * from when it was due: an outage of the sweeper makes nothing stuck.
 */
export function isStuck(sends: Sends | undefined, nowMs: number): boolean {
  return sends !== undefined && sends.count >= STUCK_SENDS && nowMs - sends.sinceMs >= STUCK_MS;
}

/** The count after a visit that has sent something. */
export function sentAgain(sends: Sends | undefined, nowMs: number): Sends {
  return { count: (sends?.count ?? 0) + 1, sinceMs: sends?.sinceMs ?? nowMs };
}
