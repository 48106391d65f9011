import type { METERS } from './meter-catalogue.ts';
import { SECOND_MS } from './units.ts';

type Catalogue = typeof METERS;

type NameOf<Kind> = {
  [Name in keyof Catalogue]: Catalogue[Name] extends { kind: Kind } ? Name : never;
}[keyof Catalogue];

export type CounterName = NameOf<'counter'>;
export type HistogramName = NameOf<'histogram'>;

type ValueOf<Values> = Values extends readonly (infer Value)[] ? Value : string;

/** One of the values that the catalogue has for each label. */
export type LabelsOf<Name extends CounterName> = {
  readonly [Label in keyof Catalogue[Name]['labels']]: ValueOf<Catalogue[Name]['labels'][Label]>;
};

/** Where a use case says what it has done. It costs nothing: see `openMeters`. */
export interface Meters {
  count<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  observe(name: HistogramName, seconds: number): void;
}

/** A meter with the values of its labels, in the order of the labels' names. */
export function seriesOf(name: string, labels: object): string {
  const sorted = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1));
  return [name, ...sorted.map(([, value]) => value)].join('|');
}

/** How a series is called where it is stored: an item of many has to stay below 1 KB. */
export function storedName(series: string): string {
  return series.replace(/^tallyhook_/, '').replace(/_(total|seconds)(?=\||$)/, '');
}

/** The buckets of every histogram, in seconds. */
export const BOUNDS = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200],
  86_400,
];

/** The bound of the bucket that a duration belongs to, as Prometheus writes it. */
function bucketOf(seconds: number): string {
  return String(BOUNDS.find((it) => seconds <= it) ?? '+Inf');
}

export type Counts = ReadonlyMap<string, number>;

/** What an instance has counted since it last told: by series, and durations by histogram. */
export interface Deltas {
  readonly counts: Counts;
  /** The first hundred of each, in seconds. */
  readonly samples: ReadonlyMap<string, readonly number[]>;
}

/** What one write adds. Nothing is put to it later: the write may have been made, unknown to us. */
export interface Batch {
  readonly counts: Counts;
  /** From 0 to 1. It tells this write from others. */
  readonly mark: number;
}

/** An instance's own counts, until `flushMeters` has added them to those of all others. */
export interface InstanceMeters extends Meters {
  /** The path of the function under `functions/`. */
  readonly entry: string;
  /**
   * What is to be added now, until `settle` tells how that ended. Undefined as long as it does not,
   * where the last time was less than 10 seconds ago, and where nothing was counted. `mark` is for
   * what was not taken before.
   */
  take(nowMs: number, mark: number): Batch | undefined;
  /** What the table did not take, as far as we know, is taken again, as it is. */
  settle(refused?: Batch): void;
}

/** One write per instance in so much time, however much it has done. */
const FLUSH_MS = 10 * SECOND_MS;
/** DynamoDB takes update expressions of 4 KB; what is more goes with the next write. */
const SERIES_MAX = 150;
const SAMPLES_MAX = 100;

/** Sums are kept in whole microseconds: the table adds integers exactly. */
export const SECOND_US = 1_000_000;

/**
 * Counts in memory. A frozen instance runs no timer, so what it counted in its last ten seconds is
 * added when it works again, and is lost with an instance that never does. `tell` hears of each
 * count once.
 */
export function openMeters(entry: string, tell: (deltas: Deltas) => void): InstanceMeters {
  let fresh = new Map<string, number>();
  let samples = new Map<string, number[]>();
  // Told, and not yet in the table.
  const kept = new Map<string, number>();
  let refused: Batch | undefined;
  let takenAtMs = 0;
  let isTaken = false;

  function turnOver(): void {
    if (fresh.size === 0) return;
    tell({ counts: fresh, samples });
    for (const [series, by] of fresh) add(kept, series, by);
    fresh = new Map();
    samples = new Map();
  }

  function newBatch(mark: number): Batch {
    const counts = new Map([...kept].slice(0, SERIES_MAX));
    for (const series of counts.keys()) kept.delete(series);
    return { counts, mark };
  }

  return {
    entry,
    count: (name, labels, by = 1) => add(fresh, seriesOf(name, labels), by),
    observe(name, measured) {
      // A clock that was set back measures less than nothing.
      const seconds = Math.max(0, measured);
      add(fresh, `${name}|${bucketOf(seconds)}`, 1);
      add(fresh, `${name}|sum`, Math.round(seconds * SECOND_US));
      const own = samples.get(name) ?? [];
      if (own.length < SAMPLES_MAX) own.push(seconds);
      samples.set(name, own);
    },
    take(nowMs, mark) {
      const isSoon = Math.abs(nowMs - takenAtMs) < FLUSH_MS;
      if (isSoon || isTaken || (fresh.size + kept.size === 0 && !refused)) return undefined;
      takenAtMs = nowMs;
      isTaken = true;
      turnOver();
      return refused ?? newBatch(mark);
    },
    settle(batch) {
      refused = batch;
      isTaken = false;
    },
  };
}

function add(counts: Map<string, number>, series: string, by: number): void {
  counts.set(series, (counts.get(series) ?? 0) + by);
}
