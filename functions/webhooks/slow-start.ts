import { SECOND_MS } from '../shared/units.ts';

/** How long the sends of a step take together, where the rate is at least one in that time. */
const STEP_MS = 5 * SECOND_MS;
/** What a step handles at most, so that a worker has time for it. */
export const STEP_MAX = 500;

/** Without a limit of the endpoint a release starts with so many per second… */
const UNLIMITED_START = 50;
/** …and does not do more than this. */
const UNLIMITED_MAX = 1_000;

/** The bounds of a slow start at an endpoint with this limit. */
export function ratesOf(perSecond: number | undefined, share: number) {
  const max = (perSecond ?? UNLIMITED_MAX) * share;
  const start = perSecond === undefined ? UNLIMITED_START : Math.max(1, perSecond / 10);
  return { start: Math.min(max, start), max };
}

/** How many a step sends, and how long it takes. */
export function stepOf(perSecond: number): { readonly count: number; readonly lastsMs: number } {
  const inStep = Math.floor((perSecond * STEP_MS) / SECOND_MS);
  const count = Math.min(STEP_MAX, Math.max(1, inStep));
  return { count, lastsMs: Math.ceil((count * SECOND_MS) / perSecond) };
}

/** Twice as fast after a step without failures, half as fast after one with them. */
export function nextRate(
  { perSecond }: { readonly perSecond: number },
  { start, max }: ReturnType<typeof ratesOf>,
  isFailing: boolean,
): number {
  const next = isFailing ? perSecond / 2 : perSecond * 2;
  return Math.min(max, Math.max(start, next));
}
