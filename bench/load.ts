export interface Load {
  /** How many do the work at the same time, each one after the other. */
  readonly clients: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Repeats the work for the given time, and measures after the warm-up. Ends at its first error. */
export async function runLoad(
  { clients, warmupMs, measureMs }: Load,
  work: (client: number) => Promise<void>,
): Promise<Measured> {
  const startMs = performance.now() + warmupMs;
  const endMs = startMs + measureMs;
  const durations: number[] = [];

  async function repeat(client: number): Promise<void> {
    for (;;) {
      const beganMs = performance.now();
      if (beganMs >= endMs) return;
      await work(client);
      const endedMs = performance.now();
      if (endedMs >= startMs && endedMs < endMs) durations.push(endedMs - beganMs);
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => repeat(client)));
  return {
    perSecond: Math.round(durations.length / (measureMs / 1_000)),
    ...percentiles(durations),
  };
}

/** The middle and the 99th percentile, to a tenth of a millisecond. */
export function percentiles(durationsMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * sorted.length)] ?? Number.NaN;
  return { p50Ms: tenth(at(0.5)), p99Ms: tenth(at(0.99)) };
}

/** How the product compares: printed as the last line of a measurement. */
export function formatRatio(name: string, product: number, baseline: number): string {
  return `${name}: ${(product / baseline).toFixed(2)} (${product}/s against ${baseline}/s)`;
}

const tenth = (value: number) => Math.round(value * 10) / 10;
