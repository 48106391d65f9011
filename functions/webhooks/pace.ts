import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';

/** What the sends of one endpoint have to heed, all of them together. */
export interface Pace {
  /** The next free slot of a limited endpoint (GCRA's theoretical arrival time). */
  readonly tatMs?: number | undefined;
  /** The receiver asked to be left alone until then. */
  readonly blockedUntilMs?: number | undefined;
  /** How often in a row it has asked. */
  readonly refusals: number;
}

/** Of what the receiver can bear we use this much, so that jitter never makes it too much. */
const SHARE = 0.95;

/** How far two sends of an endpoint with this limit lie apart, in milliseconds. */
export function intervalMs(perSecond: number): number {
  return SECOND_MS / (SHARE * perSecond);
}

/** The slots that end at `tatMs`, the first one first. Whole milliseconds, never too early. */
export function slotsBefore(tatMs: number, count: number, perSecond: number): number[] {
  const interval = intervalMs(perSecond);
  return Array.from({ length: count }, (_, index) => Math.ceil(tatMs - (count - index) * interval));
}

/** How late a send may use its slot. Later ones would bunch up with those after it. */
export function isLate(slotMs: number, nowMs: number, perSecond: number): boolean {
  const graceMs = perSecond < 1 ? 0.15 * intervalMs(perSecond) : 350;
  return nowMs - slotMs > graceMs;
}

/** The longest block that we choose ourselves; the receiver may ask for a day. */
const BLOCK_MAX_MS = MINUTE_MS;

/**
 * The pace after the receiver said that it is too busy: blocked for the time that it named, or
 * for 1, 2, 4 … 60 seconds. Refusals during one block count once, because many sends may have
 * been on their way together; a minute of peace after a block starts the count anew.
 */
export function blockPace(pace: Pace, nowMs: number, askedMs: number | undefined): Pace {
  const until = pace.blockedUntilMs ?? 0;
  const isOngoing = nowMs < until;
  const inARow = nowMs - until < BLOCK_MAX_MS ? pace.refusals : 0;
  const refusals = isOngoing ? Math.max(1, pace.refusals) : inARow + 1;
  const ownMs = Math.min(BLOCK_MAX_MS, SECOND_MS * 2 ** (refusals - 1));
  const wantedMs = nowMs + (askedMs ?? ownMs);
  const blockedUntilMs = isOngoing && askedMs === undefined ? until : Math.max(until, wantedMs);
  // Slots start after the block, so that a limited endpoint needs no second look.
  const tatMs = Math.max(pace.tatMs ?? 0, blockedUntilMs);
  return { tatMs, blockedUntilMs, refusals };
}
