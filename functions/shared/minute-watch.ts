/**
 * How far something that looks at every minute has come. Minutes are counted since 1970. It never
 * skips one, and a minute with work left does not hold up those after it.
 */
export interface MinuteWatch {
  /** Every minute up to this one was visited after nothing new could come to it. */
  readonly through: number;
  /** Those among them that have work left, the oldest first. */
  readonly open: readonly number[];
}

/** What a visit to one minute found. */
export interface MinuteVisit {
  readonly minute: number;
  /** There is no work left in this minute. */
  readonly isDone: boolean;
}

/** Bounds on one tick, and on what a watch may carry; after an outage it takes some ticks. */
const VISITS_MAX = 240;
const OPEN_MAX = 1_000;

/** The minutes to visit up to the newest one: first those with work left, then the next ones. */
export function minutesToVisit({ through, open }: MinuteWatch, newest: number): number[] {
  const count = Math.max(0, Math.min(newest - through, VISITS_MAX));
  return [...open, ...Array.from({ length: count }, (_, index) => through + 1 + index)];
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
  const open = new Set(watch.open);
  let { through } = watch;
  for (const { minute, isDone } of visits) {
    const hasRoom = isDone || open.size < OPEN_MAX;
    if (minute === through + 1 && minute <= settled && hasRoom) {
      through = minute;
      if (!isDone) open.add(minute);
    } else if (isDone) {
      open.delete(minute);
    }
  }
  return { through, open: [...open] };
}
