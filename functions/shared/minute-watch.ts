import { SECOND_MS } from './units.ts';
import type { World } from './world.ts';

/**
 * How far something that looks at every minute has come. Minutes are counted since 1970. It never
 * skips one, and a minute with work left does not hold up those after it.
 */
export interface MinuteWatch {
  /** Every minute up to this one was visited after nothing new could come to it. */
  readonly through: number;
  /** Those among them that have work left. */
  readonly open: readonly OpenMinute[];
}

/** A minute with work left. */
export interface OpenMinute {
  readonly minute: number;
  /** No visit is worth its cost before this time. */
  readonly againMs: number;
  readonly sends?: Sends | undefined;
  /** Nothing is left in it but rows that cannot be read. */
  readonly isDamaged?: boolean | undefined;
  readonly stop?: MinuteStop | undefined;
}

/** Where the time of a visit was up in the midst of its minute, and what it found before that. */
export interface MinuteStop {
  readonly shard: number;
  /** The first row that it has not looked at. */
  readonly sk: string;
  readonly isDone: boolean;
  readonly isDamaged: boolean;
}

/** How often the work of a minute was handed on in vain, and since when. */
export interface Sends {
  readonly count: number;
  readonly sinceMs: number;
}

/** What a visit to one minute found. `againMs` is absent when there is no work left in it. */
export interface MinuteVisit {
  readonly minute: number;
  readonly againMs?: number | undefined;
  readonly sends?: Sends | undefined;
  readonly isDamaged?: boolean | undefined;
  readonly stop?: MinuteStop | undefined;
}

/** As far as a watch can have come by a clock that is right. */
interface WatchBounds {
  /** The last minute to which nothing new can come. */
  readonly settled: number;
  /** No minute waits for longer than until then. */
  readonly againMs: number;
}

/**
 * The watch without what a clock that was fast has passed: that may still get entries of which
 * nobody knows, and is visited as if it had not been.
 */
export function setBack({ through, open }: MinuteWatch, bounds: WatchBounds): MinuteWatch {
  return {
    through: Math.min(through, bounds.settled),
    open: open.map((it) => ({ ...it, againMs: Math.min(it.againMs, bounds.againMs) })),
  };
}

/** A bound on one tick; after an outage it takes some. */
const VISITS_MAX = 240;
/** A bound on what a watch may carry: more than a day of minutes, because damage is for a day. */
const OPEN_MAX = 2_000;

/**
 * The minutes to visit up to the newest one: first the next ones, because what waits there had no
 * visit yet, then those with work left whose time has come, the one that has waited longest first.
 */
export function minutesToVisit(
  { through, open }: MinuteWatch,
  newest: number,
  nowMs: number,
): number[] {
  const count = Math.max(0, Math.min(newest - through, VISITS_MAX));
  const next = Array.from({ length: count }, (_, index) => through + 1 + index);
  const again = open.filter((it) => it.againMs <= nowMs).sort((a, b) => a.againMs - b.againMs);
  return [...next, ...again.map((it) => it.minute)];
}

/**
 * The watch after these visits, in their order. It passes the next minute up to `settled`, the
 * last one to which nothing new can come, and keeps it in mind until its work is done.
 */
export function afterVisits(
  watch: MinuteWatch,
  visits: readonly MinuteVisit[],
  settled: number,
): MinuteWatch {
  const open = new Map(watch.open.map((it) => [it.minute, it]));
  let { through } = watch;
  for (const { minute, againMs, sends, isDamaged, stop } of visits) {
    const isNext = minute === through + 1 && minute <= settled;
    const hasRoom = againMs === undefined || open.size < OPEN_MAX;
    if (isNext && hasRoom) through = minute;
    if (againMs === undefined) open.delete(minute);
    else if ((isNext && hasRoom) || open.has(minute)) {
      const marks = { ...(isDamaged && { isDamaged }), ...(stop && { stop }) };
      open.set(minute, { minute, againMs, ...(sends && { sends }), ...marks });
    }
  }
  return { through, open: [...open.values()] };
}

/** One tick over the minutes. */
export interface Round {
  readonly watch: MinuteWatch;
  readonly newest: number;
  readonly settled: number;
  /** When to begin no further visit. */
  readonly stopMs: number;
  readonly visit: (minute: number) => Promise<MinuteVisit>;
  /** Stores how far the round has come. */
  readonly save: (watch: MinuteWatch) => Promise<unknown>;
}

/** A quiet tick has fewer visits than this, and takes less time, and stores its watch once. */
const SLICE = 20;
const SLICE_MS = 5 * SECOND_MS;

/**
 * Visits the minutes until the time is up, and saves the watch after each slice of them: a tick
 * that dies has lost one slice, and the next one goes on from there. A slice ends early where its
 * visits take long: else a tick that dies in its first one would do the same again and again.
 * Answers the last watch.
 */
export async function watchMinutes(
  { clock }: Pick<World, 'clock'>,
  { watch, newest, settled, stopMs, visit, save }: Round,
): Promise<MinuteWatch> {
  let latest = watch;
  const minutes = minutesToVisit(watch, newest, clock.nowMs());
  for (let start = 0; start < minutes.length && clock.nowMs() < stopMs; ) {
    const visits: MinuteVisit[] = [];
    const endMs = Math.min(stopMs, clock.nowMs() + SLICE_MS);
    for (const minute of minutes.slice(start, start + SLICE)) {
      if (clock.nowMs() >= endMs) break;
      visits.push(await visit(minute));
    }
    start += visits.length;
    latest = afterVisits(latest, visits, settled);
    await save(latest);
  }
  return latest;
}
