/** A share of a backlog: a receipt keeps its `counter` until its end. */
export interface Share {
  readonly counter: string;
  /** How many may be open. All shares together have the room of the backlog. */
  readonly cap: number;
}

/** Transactions on one item wait for each other: so a large backlog is counted in so many. */
export const SHARES_MAX = 16;
/** And a share has room for so many, lest many are full while others are not. */
const ROOM_MIN = 32;

/** In how many shares a backlog is counted, if it was never larger. */
export function shareCount(cap: number): number {
  return Math.min(SHARES_MAX, Math.max(1, Math.floor(cap / ROOM_MIN)));
}

/**
 * The shares of a backlog that have any room. They become no fewer when it becomes smaller, so that
 * what is open in them stays counted: `sharesBefore` is how many it had at most. `counter` is the
 * source's id, or the tenant's `…#api`.
 */
export function sharesOf(counter: string, cap: number, sharesBefore = 1): Share[] {
  const count = Math.max(sharesBefore, shareCount(cap));
  const shares = countersOf(counter, count).map((name, index) => ({
    counter: name,
    cap: Math.floor((cap + index) / count),
  }));
  return shares.filter((it) => it.cap > 0);
}

/** The first has the name under which earlier releases counted all. */
export function countersOf(counter: string, count = SHARES_MAX): string[] {
  return Array.from({ length: count }, (_, index) => (index ? `${counter}#${index}` : counter));
}
