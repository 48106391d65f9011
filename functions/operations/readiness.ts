import type { MinuteWatch } from '../shared/minute-watch.ts';
import { MINUTE_MS } from '../shared/units.ts';

/** How something that the product needs is doing. */
export interface Check {
  readonly name: 'database' | 'queues' | 'relay' | 'sweeper';
  /** `late`: it works, and what it has to look after waits for minutes. */
  readonly status: 'ok' | 'late' | 'failed';
  /** Of what is late, the minute that the oldest belongs to, in ms since 1970. */
  readonly sinceMs?: number;
  /** Messages whose time has come, by queue, about. */
  readonly backlog?: Readonly<Record<string, number>>;
}

/** As long as the alarms wait: ticks come once a minute, and look back for three. */
const LATE_MS = 6 * MINUTE_MS;

/** From when on nobody has looked, or the oldest minute with events that nobody has relayed. */
export function relayCheck(watch: MinuteWatch | undefined, nowMs: number): Check {
  return lateness('relay', relayLagMs(watch, nowMs), nowMs);
}

/** How old that minute is; 0 before the first tick of an installation. */
export function relayLagMs(watch: MinuteWatch | undefined, nowMs: number): number {
  if (!watch) return 0;
  // Damaged rows have an alarm of their own, and nobody relays them.
  const open = watch.open.filter(({ isDamaged }) => !isDamaged);
  const oldest = Math.min(watch.through + 1, ...open.map(({ minute }) => minute));
  return nowMs - oldest * MINUTE_MS;
}

/** More than this is minutes of work, in queues where nothing may wait for minutes. */
const BACKLOG_MAX = 50_000;

/** What waits in queues whose work has to be done at once. */
export function queuesCheck(backlog: Readonly<Record<string, number>>): Check {
  const isLate = Object.values(backlog).some((depth) => depth > BACKLOG_MAX);
  return { name: 'queues', status: isLate ? 'late' : 'ok', backlog };
}

/** From when on the sweeper has not looked at some table. */
export function sweeperCheck(seenMs: readonly number[], nowMs: number): Check {
  return lateness('sweeper', sweeperLagMs(seenMs, nowMs), nowMs);
}

/** How long ago that was; 0 before the first tick of an installation. */
export function sweeperLagMs(seenMs: readonly number[], nowMs: number): number {
  return nowMs - Math.min(...seenMs, nowMs);
}

function lateness(name: 'relay' | 'sweeper', lagMs: number, nowMs: number): Check {
  return lagMs < LATE_MS
    ? { name, status: 'ok' }
    : { name, status: 'late', sinceMs: nowMs - lagMs };
}
