import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';

/** What the sends of one endpoint have to heed, all of them together. */
export interface Pace {
  /**
   * The next free slot of a limited endpoint (GCRA's theoretical arrival time), in whole
   * microseconds: the table adds decimals exactly and we do not.
   */
  readonly tatUs?: number | undefined;
  /** The receiver asked to be left alone until then. */
  readonly blockedUntilMs?: number | undefined;
  /** How often in a row it has asked. */
  readonly refusals: number;
}

/** Of what the receiver can bear we use this much, so that jitter never makes it too much. */
const SHARE = 0.95;

/** Microseconds in a millisecond. */
const MS_US = 1_000;

/** How far two sends of an endpoint with this limit lie apart, in milliseconds. */
export function intervalMs(perSecond: number): number {
  return SECOND_MS / (SHARE * perSecond);
}

/** How long so many slots are together, in whole microseconds, never too short. */
export function spanUs(count: number, perSecond: number): number {
  return Math.ceil(count * intervalMs(perSecond) * MS_US);
}

/** A time of the clock in microseconds. */
export function toUs(ms: number): number {
  return ms * MS_US;
}

/** The slots that end at `tatUs`, the first one first. Whole milliseconds, never too early. */
export function slotsBefore(tatUs: number, count: number, perSecond: number): number[] {
  const startMs = (tatUs - spanUs(count, perSecond)) / MS_US;
  const interval = intervalMs(perSecond);
  return Array.from({ length: count }, (_, index) => Math.ceil(startMs + index * interval));
}

/** How late a send may use its slot. Later ones would bunch up with those after it. */
export function isLate(slotMs: number, nowMs: number, perSecond: number): boolean {
  const graceMs = perSecond < 1 ? 0.15 * intervalMs(perSecond) : 350;
  return nowMs - slotMs > graceMs;
}

/** The longest block that we choose ourselves; the receiver may ask for a day. */
const BLOCK_MAX_MS = MINUTE_MS;

/** Until when the receiver is left alone, and how often in a row it has asked for that. */
export interface Block {
  readonly blockedUntilMs: number;
  readonly refusals: number;
}

/**
 * The block after the receiver said that it is too busy: for the time that it named, or for
 * 1, 2, 4 … 60 seconds. Refusals during one block count once, because many sends may have been
 * on their way together; a minute of peace after a block starts the count anew.
 */
export function nextBlock(pace: Pace, nowMs: number, askedMs: number | undefined): Block {
  const until = pace.blockedUntilMs ?? 0;
  const isOngoing = nowMs < until;
  const inARow = nowMs - until < BLOCK_MAX_MS ? pace.refusals : 0;
  const refusals = isOngoing ? Math.max(1, pace.refusals) : inARow + 1;
  const ownMs = Math.min(BLOCK_MAX_MS, SECOND_MS * 2 ** (refusals - 1));
  const wantedMs = nowMs + (askedMs ?? ownMs);
  const blockedUntilMs = isOngoing && askedMs === undefined ? until : Math.max(until, wantedMs);
  return { blockedUntilMs, refusals };
}
