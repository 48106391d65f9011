import { DAY_MS, MINUTE_MS, SECOND_MS } from '../shared/units.ts';

/** Whose sends share a pace: an endpoint's, or those of a file that has a limit of its own. */
export interface Paced {
  readonly tenantId: string;
  readonly id: string;
  /** Its limit. */
  readonly perSecond?: number | undefined;
  /** Its pace ends by itself, a month after its last slot. */
  readonly isFile?: true;
}

/** The pace of a file's own, so many users a second: for its first alerts and its retries. */
export function filePaced(
  { tenantId, fileId }: { readonly tenantId: string; readonly fileId: string },
  perSecond: number,
): Paced & { readonly perSecond: number } {
  return { tenantId, id: fileId, perSecond, isFile: true };
}

/** What the sends of an endpoint, or a file, have to heed, all of them together. */
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
  /** Another one whenever all slots that were given become void. */
  readonly version: number;
  /** The limit as its tenant has changed it, 0 for none. Undefined: the endpoint tells it. */
  readonly limit?: number | undefined;
  /** What the receiver seems to bear, where it has refused more. */
  readonly learned?: LearnedRate | undefined;
  /** What is kept for sends that wait for no backlog, the earliest first. */
  readonly ahead?: readonly Stretch[] | undefined;
  /** Nothing of this pace goes before. */
  readonly startMs?: number | undefined;
}

/** A time, exclusive at both ends, within which no slot counts but those that it is kept for. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A rate that was halved, and when. */
export interface LearnedRate {
  readonly perSecond: number;
  readonly atMs: number;
}

/** Nothing is reserved, blocked or learned. */
export const NO_PACE: Pace = { refusals: 0, version: 0 };

/** A time at which one send may go out, and the version of the pace that it belongs to. */
export interface Slot {
  readonly atMs: number;
  readonly version: number;
}

/** Of what the receiver can bear we use this much, so that jitter never makes it too much. */
const SHARE = 0.95;

/** Microseconds in a millisecond. */
const MS_US = 1_000;

/** So far ahead nothing is reserved: what would go then has no record any more. */
export const HORIZON_MS = 30 * DAY_MS;

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

/** So many times the limit is the most that a receiver ever gets within a second. */
const BURST = 1.35;

/**
 * Until when a send may use its slot. Later ones would bunch up with those after it: below one per
 * second two would come closer than nine tenths of the interval, from five per second on more
 * than 1.35 times the limit would come within a second.
 */
export function lastUseMs(slotMs: number, perSecond: number): number {
  return slotMs + graceMs(perSecond);
}

/** Whether it is too late to use a slot. */
export function isLate(slotMs: number, nowMs: number, perSecond: number): boolean {
  return nowMs > lastUseMs(slotMs, perSecond);
}

/**
 * Whoever was too late for so many slots, one after the other, is always slow: it uses the next one
 * all the same, and gets none ahead of others any more, because each of those puts others off.
 */
export const MISSED_MAX = 3;

/** So long after its time a slot may be used. */
export function graceMs(perSecond: number): number {
  if (perSecond < 1) return (0.15 * SECOND_MS) / perSecond;
  if (perSecond < 5) return 350;
  // Slots are whole milliseconds, so that two of them may be one closer than they should be.
  const inASecond = Math.floor(BURST * perSecond) * intervalMs(perSecond) - 2;
  return Math.min(350, inASecond - SECOND_MS);
}

/** Every worker knows of a change after this time, and has used what it knew before. */
export const NOTICE_MS = 8 * SECOND_MS;
/** Stretches that lie so near to each other are made one, so that they stay few. */
const JOINT_MS = 250;

/** Whether something goes in this slot that waits for no backlog: whoever had it takes another. */
export function isOverrun(slotMs: number, { ahead = [] }: Pick<Pace, 'ahead'>): boolean {
  return ahead.some(({ fromMs, toMs }) => fromMs < slotMs && slotMs < toMs);
}

/** When a slot can be had at the earliest that is not within a stretch. */
export function behindStretches(fromMs: number, { ahead = [] }: Pick<Pace, 'ahead'>): number {
  return ahead.reduce((ms, it) => (isOverrun(ms, { ahead: [it] }) ? it.toMs : ms), fromMs);
}

/**
 * The next slot that passes the backlog, and what is then kept in all. It lies one interval behind
 * what anybody may still send who does not know of it, and so do the slots after it.
 */
export function slotAhead(
  { ahead = [], blockedUntilMs = 0 }: Pick<Pace, 'ahead' | 'blockedUntilMs'>,
  perSecond: number,
  nowMs: number,
): { readonly slotMs: number; readonly ahead: readonly Stretch[] } {
  const interval = intervalMs(perSecond);
  const fromMs = Math.max(nowMs + NOTICE_MS, blockedUntilMs);
  const kept = ahead.filter((it) => it.toMs > nowMs - graceMs(perSecond));
  const last = kept.at(-1);
  const isJoint = last !== undefined && fromMs - last.toMs < JOINT_MS;
  const slotMs = Math.ceil(Math.max(fromMs + interval, isJoint ? last.toMs : 0));
  const toMs = Math.ceil(slotMs + interval);
  if (!isJoint) return { slotMs, ahead: [...kept, { fromMs, toMs }] };
  return { slotMs, ahead: [...kept.slice(0, -1), { ...last, toMs }] };
}

/** How long the receiver has to bear a rate before it gets a little more. */
const CLEAN_MS = 10 * SECOND_MS;
/** What a limited endpoint gets back after that, of its limit. */
const STEP = 0.05;
/** What one without a limit gets more, of what it had: where it ends is not known. */
const GROWTH = 1.15;
/** Where one without a limit begins when it first refuses, as if that were its limit. */
const UNLIMITED_START = 50;
/** One without a limit that has got so far is free again. */
const UNLIMITED_END = 5_000;
/** A rate is never halved below this share of the limit. */
const FLOOR = 1 / 8;

/** What the tenant wants its receiver to get at most. Undefined: as much as there is. */
export function limitOf(
  { perSecond }: { readonly perSecond?: number | undefined },
  { limit = perSecond }: Pick<Pace, 'limit'>,
): number | undefined {
  return limit === 0 ? undefined : limit;
}

/**
 * What a receiver gets now: its limit, or what it has shown to bear, which grows back with every
 * ten seconds since it was halved. Undefined: as much as there is.
 */
export function rateAt(
  limit: number | undefined,
  { learned }: Pick<Pace, 'learned'>,
  nowMs: number,
): number | undefined {
  if (!learned) return limit;
  const steps = Math.max(0, Math.floor((nowMs - learned.atMs) / CLEAN_MS));
  if (limit !== undefined) return Math.min(limit, learned.perSecond + STEP * limit * steps);
  const grown = learned.perSecond * GROWTH ** steps;
  return grown >= UNLIMITED_END ? undefined : grown;
}

/**
 * Half of what the receiver got when it refused, at least an eighth of its limit. Undefined within
 * ten seconds of the last time: refusals of sends that were on their way together are one.
 */
export function halvedRate(
  limit: number | undefined,
  pace: Pick<Pace, 'learned'>,
  nowMs: number,
): LearnedRate | undefined {
  const { learned } = pace;
  if (learned && nowMs - learned.atMs < CLEAN_MS) return undefined;
  const full = limit ?? UNLIMITED_START;
  const had = rateAt(limit, pace, nowMs) ?? full;
  return { perSecond: Math.max(full * FLOOR, had / 2), atMs: nowMs };
}

/** Workers may know the old pace for so long: nothing of a new one may be sent before. */
export const RESTART_MS = 5 * SECOND_MS;

/**
 * When a pace that begins anew has its first slot. Below one per second nobody can tell how long
 * ago the last one was used, and two must not be close: then it is a whole distance later.
 */
export function firstSlotMs(startMs: number, perSecond = Infinity): number {
  return perSecond < 1 ? startMs + SECOND_MS / perSecond : startMs;
}

/** The longest block that we choose ourselves; the receiver may ask for a day. */
const BLOCK_MAX_MS = MINUTE_MS;
/** A receiver that bears this much time after a block has not refused in a row. */
const PEACE_MS = 20 * SECOND_MS;

/** Until when the receiver is left alone, and how often in a row it has asked for that. */
export interface Block {
  readonly blockedUntilMs: number;
  readonly refusals: number;
}

/**
 * The block after the receiver said that it is too busy: for the time that it named, or for
 * 1, 2, 4 … 60 seconds. Refusals during one block count once, because many sends may have been
 * on their way together; some peace after a block starts the count anew.
 */
export function nextBlock(
  pace: Pick<Pace, 'blockedUntilMs' | 'refusals'>,
  nowMs: number,
  askedMs: number | undefined,
): Block {
  const until = pace.blockedUntilMs ?? 0;
  const isOngoing = nowMs < until;
  const inARow = nowMs - until < PEACE_MS ? pace.refusals : 0;
  const refusals = isOngoing ? Math.max(1, pace.refusals) : inARow + 1;
  const ownMs = Math.min(BLOCK_MAX_MS, SECOND_MS * 2 ** (refusals - 1));
  const wantedMs = nowMs + (askedMs ?? ownMs);
  const blockedUntilMs = isOngoing && askedMs === undefined ? until : Math.max(until, wantedMs);
  return { blockedUntilMs, refusals };
}

/** After a block not all senders of an endpoint come at once, but over a fifth of its length. */
const SPREAD = 0.2;
/** A receiver that asks for a day is not made to wait for hours more. */
const SPREAD_MS_MAX = 5 * MINUTE_MS;

/** How long one of them waits, by a number in [0, 1): the block, and a little more. */
export function spreadBlock(blockMs: number, random: number): number {
  return Math.ceil(blockMs + Math.min(SPREAD * blockMs, SPREAD_MS_MAX) * random);
}
