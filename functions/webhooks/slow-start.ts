import { SECOND_MS } from '../shared/units.ts';

/** How long the sends of a step take together, where the rate is at least one in that time. */
const STEP_MS = 5 * SECOND_MS;
/**
 * The same on the way up to what an endpoint with a limit gets: the slots of a step follow each
 * other by that limit, so that a long one would go out at its full rate, and pause. Who is there
 * takes long steps again, since each costs the same.
 */
const SHORT_MS = SECOND_MS;
/** What a step handles at most, so that a worker has time for it. */
export const STEP_MAX = 500;

/** Without a limit of the endpoint a release starts with so many per second… */
const UNLIMITED_START = 50;
/** …and does not do more than this. */
const UNLIMITED_MAX = 1_000;

/** The bounds of a slow start. */
export interface Rates {
  readonly start: number;
  readonly max: number;
  /** Of the endpoint. Undefined: none. */
  readonly limit?: number | undefined;
}

/** The bounds of a slow start at an endpoint with this limit. */
export function ratesOf(limit: number | undefined, share: number): Rates {
  const max = (limit ?? UNLIMITED_MAX) * share;
  const start = limit === undefined ? UNLIMITED_START : Math.max(1, limit / 10);
  return { start: Math.min(max, start), max, limit };
}

/** How many a step sends, and how long it takes. */
export interface StepSize {
  readonly count: number;
  readonly lastsMs: number;
}

/** The next step at this rate. */
export function stepOf(perSecond: number, rates: Bounds): StepSize {
  // A short one is never shorter than that: else two of them would come within it.
  const inStep = isRising(perSecond, rates)
    ? Math.ceil((perSecond * SHORT_MS) / SECOND_MS)
    : Math.floor((perSecond * STEP_MS) / SECOND_MS);
  const count = Math.min(STEP_MAX, Math.max(1, inStep));
  return { count, lastsMs: Math.ceil((count * SECOND_MS) / perSecond) };
}

type Bounds = Pick<Rates, 'limit' | 'max'>;

/** Whether a slow start is still on its way to what an endpoint with a limit gets. */
function isRising(perSecond: number, { limit, max }: Bounds): boolean {
  return limit !== undefined && perSecond < max;
}

/** Twice as fast after a step without failures, half as fast after one with them. */
export function nextRate(
  { perSecond }: { readonly perSecond: number },
  rates: Rates,
  isFailing: boolean,
): number {
  // Short steps lead there by and by, in the time of a long one.
  const { lastsMs } = stepOf(perSecond, rates);
  const factor = 2 ** (isRising(perSecond, rates) ? Math.min(1, lastsMs / STEP_MS) : 1);
  const next = isFailing ? perSecond / factor : perSecond * factor;
  return Math.min(rates.max, Math.max(rates.start, next));
}
