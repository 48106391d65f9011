import { DAY_MS, MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { Attempt } from './attempt.ts';

/** What the failures of an endpoint amount to. Without any there is nothing on record. */
export interface Health {
  /** Failed attempts in a row. One that the receiver was too busy for is none. */
  readonly streak: number;
  /** How many of the last ones timed out, in a row. */
  readonly timeouts: number;
  /** When the streak began. */
  readonly firstFailureAtMs?: number | undefined;
  /** While the breaker is open: since when. */
  readonly openedAtMs?: number | undefined;
  /** While the breaker is open: when the next probe is due. */
  readonly probeAtMs?: number | undefined;
  /** When the last probe went out. */
  readonly probedAtMs?: number | undefined;
  /** There was nothing to probe with: the next delivery to arrive is the probe. */
  readonly idle?: true | undefined;
  /** How many probes went out since it opened. */
  readonly probes: number;
  /** The event of the last probe, so that the next one is another delivery. */
  readonly probedThrough?: string | undefined;
  /** For how many days of failing it was told of already. */
  readonly saidDays: number;
}

/** An endpoint of which nothing bad is known. */
export const HEALTHY: Health = { streak: 0, timeouts: 0, probes: 0, saidDays: 0 };

/** The breaker opens at so many failures in a row… */
export const STREAK_MIN = 10;
/** …over at least so long: a burst that fails together is one trouble, not ten. */
const STREAK_MS_MIN = 30 * SECOND_MS;

const PROBE_MS = { min: 30 * SECOND_MS, max: 15 * MINUTE_MS };

/** Days of an open breaker after which its tenant is told. */
const TOLD_AT_DAYS = [1, 3] as const;
/** An endpoint that failed for so long is disabled. */
const GIVE_UP_MS = 5 * DAY_MS;

/** Whether nothing is to be sent but probes. */
export function isOpen(health: Health): boolean {
  return health.openedAtMs !== undefined;
}

/** Whether a success has anything to put right. */
export function isAiling(health: Health): boolean {
  return health.streak > 0 || isOpen(health);
}

/** Whether these failures are enough to open a breaker that is closed. */
export function shouldOpen(health: Health, nowMs: number): boolean {
  const { streak, firstFailureAtMs = nowMs } = health;
  return !isOpen(health) && streak >= STREAK_MIN && nowMs - firstFailureAtMs >= STREAK_MS_MIN;
}

/** After so many timeouts in a row an endpoint takes the slow lane. */
const TIMEOUTS_MIN = 5;

/** Whether all that goes there has to expect that the receiver takes its whole time. */
export function isSlow({ timeouts }: Pick<Health, 'timeouts'>): boolean {
  return timeouts >= TIMEOUTS_MIN;
}

/** A slow endpoint stays so for this long: a receiver that wavers is not to cost writes. */
export const SLOW_MS_MIN = 10 * SECOND_MS;

/** Whether an answer after so many milliseconds keeps nobody waiting. */
export function isQuick(ms = 0): boolean {
  return ms < SECOND_MS;
}

/** How long after the `probes`th probe the next one goes out: 30 s, 1 min, … 15 min. */
export function probeWaitMs(probes: number): number {
  return Math.min(PROBE_MS.max, PROBE_MS.min * 2 ** probes);
}

/**
 * When to probe again after one that goes out now; or when to look again, where there is nothing to
 * probe with. Then the wait does not grow, and does not matter to what arrives before.
 */
export function nextProbe(
  { probes }: Pick<Health, 'probes'>,
  probe: object | undefined,
  nowMs: number,
) {
  if (!probe) return { probes, probeAtMs: nowMs + probeWaitMs(probes), idle: true as const };
  return { probes: probes + 1, probeAtMs: nowMs + probeWaitMs(probes + 1), idle: undefined };
}

/**
 * How an attempt changes the streak: not at all when the receiver was only too busy, or when the
 * worker died, which says nothing about the receiver.
 */
export function verdictOf(attempt: Attempt): 'good' | 'bad' | 'none' {
  if (attempt.outcome === 'delivered') return 'good';
  const saysNothing = attempt.outcome === 'abandoned' || attempt.throttled;
  return saysNothing || isLapsed(attempt) ? 'none' : 'bad';
}

/** Nobody knows how it ended, and no receiver is to blame. */
function isLapsed({ outcome, status, error }: Attempt): boolean {
  return outcome === 'unknown' && status === undefined && error === undefined;
}

/** A probe that went out has its outcome within this time. */
const PROBING_MS = 30 * SECOND_MS;

/**
 * `half_open` from the moment a probe is due until its outcome must be known, and as long as what
 * arrives next is the probe.
 */
export function breakerOf(health: Health, nowMs: number): 'closed' | 'open' | 'half_open' {
  if (!isOpen(health)) return 'closed';
  if (health.idle) return 'half_open';
  const { probedAtMs = -Infinity, probeAtMs = Infinity } = health;
  return nowMs >= probeAtMs || nowMs < probedAtMs + PROBING_MS ? 'half_open' : 'open';
}

/** What an open breaker asks for beside its probes. `days` is for how long they have failed. */
export type Trouble =
  | { readonly kind: 'none' }
  | { readonly kind: 'tell' | 'give_up'; readonly days: number };

/**
 * Whether the tenant has to be told, or the endpoint to be given up. A time in which nothing was
 * sent says nothing about the receiver.
 */
export function troubleOf({ openedAtMs, probedAtMs, saidDays }: Health): Trouble {
  if (openedAtMs === undefined || probedAtMs === undefined) return { kind: 'none' };
  const openMs = probedAtMs - openedAtMs;
  if (openMs >= GIVE_UP_MS) return { kind: 'give_up', days: Math.floor(openMs / DAY_MS) };
  const days = TOLD_AT_DAYS.findLast((it) => openMs >= it * DAY_MS) ?? 0;
  return days > saidDays ? { kind: 'tell', days } : { kind: 'none' };
}
