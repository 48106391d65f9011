import { MINUTE_MS } from '../shared/units.ts';

/** How far one check of the outbox has come. Minutes are counted since 1970. */
export interface Watch {
  /** Every minute up to this one was visited when it was over. */
  readonly through: number;
  /** Those among them that have something left to do, the oldest first. */
  readonly open: readonly number[];
}

/** What a visit to one minute found. */
export interface Visit {
  readonly minute: number;
  /** Nothing is left to do for the events of this minute. */
  readonly isDone: boolean;
}

/** How far the very first tick of an installation looks back. */
const FIRST_LOOK_MINUTES = 60;
/** Bounds on one tick, and on what a watch may carry; after an outage it takes some ticks. */
const VISITS_MAX = 240;
const OPEN_MAX = 1_000;

/** The watch of an installation that has never had a tick. */
export function firstWatch(nowMs: number): Watch {
  return { through: minuteOf(nowMs) - FIRST_LOOK_MINUTES, open: [] };
}

/** The minutes to visit for events of at least this age, the oldest first. */
export function minutesToVisit(watch: Watch, nowMs: number, ageMs: number): number[] {
  const newest = minuteOf(nowMs - ageMs);
  const count = Math.max(0, Math.min(newest - watch.through, VISITS_MAX));
  return [...watch.open, ...Array.from({ length: count }, (_, index) => watch.through + 1 + index)];
}

/**
 * The watch after these visits. It passes a minute only when all of its events have the age, and
 * keeps what it passed in mind until nothing is left to do there.
 */
export function advance(watch: Watch, visits: readonly Visit[], oldestMs: number): Watch {
  const stillOpen = new Set(watch.open);
  let { through } = watch;
  for (const { minute, isDone } of visits) {
    const isOver = (minute + 1) * MINUTE_MS <= oldestMs;
    if (minute === through + 1 && isOver && (isDone || stillOpen.size < OPEN_MAX)) {
      through = minute;
      if (!isDone) stillOpen.add(minute);
    } else if (isDone) {
      stillOpen.delete(minute);
    }
  }
  return { through, open: [...stillOpen] };
}

function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}
