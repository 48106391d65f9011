import * as z from 'zod';
import { readConfig } from './environment.ts';
import { openIds } from './ids/ulid.ts';
import type { Deltas } from './meters.ts';
import type { Clock, Ids, Log, LogFields, Metrics } from './world.ts';

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  async sleep(ms) {
    const endMs = Date.now() + ms;
    // A timer may ring a millisecond before the clock says so, and nothing may be early.
    for (let leftMs = ms; leftMs > 0; leftMs = endMs - Date.now()) {
      await new Promise((resolve) => setTimeout(resolve, leftMs));
    }
  },
};

/** Ids from the machine's clock and random source. */
export const systemIds: Ids = openIds(systemClock.nowMs);

/** One JSON line per call on standard output, which Lambda carries to CloudWatch. */
export const jsonLog: Log = {
  info: (event, fields) => print('info', event, fields),
  warn: (event, fields) => print('warn', event, fields),
  error: (event, fields) => print('error', event, fields),
};

const LEVELS = ['info', 'warn', 'error'] as const;
type Level = (typeof LEVELS)[number];

const { LOG_LEVEL, STAGE } = readConfig({
  LOG_LEVEL: z.enum(LEVELS).default('info'),
  STAGE: z.string().default('dev'),
});

function print(level: Level, event: string, fields: LogFields = {}): void {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(LOG_LEVEL)) return;
  const at = new Date(systemClock.nowMs()).toISOString();
  process.stdout.write(`${JSON.stringify({ at, level, event, ...fields }, plainError)}\n`);
}

/** An Error has no enumerable fields and would be logged as `{}`. */
function plainError(_key: string, value: unknown): unknown {
  if (value instanceof Error) {
    return { name: value.name, message: value.message, stack: value.stack };
  }
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Signals as CloudWatch embedded metric lines: no call, no agent. */
export const embeddedMetrics: Metrics = {
  count: (name, value = 1) => printMetrics([{ Name: name, Unit: 'Count' }], { [name]: value }),
};

/**
 * What an instance has counted, in one such line: a metric by the name of each meter, summed over
 * its labels, because CloudWatch is paid by the metric. Only of deliveries there is one for each
 * value of their label. The counts apart are in the line itself.
 */
export function embedDeltas(entry: string, { counts, samples }: Deltas): void {
  const values: Record<string, number | readonly number[]> = Object.fromEntries(samples);
  for (const [series, by] of counts) {
    const [name = '', label] = series.split('|');
    if (samples.has(name)) continue;
    values[name] = Number(values[name] ?? 0) + by;
    if (/_deliver.*_total/.test(name)) values[`${name}_${label}`] = by;
  }
  const metrics = Object.keys(values).map((Name) => ({
    Name,
    Unit: samples.has(Name) ? 'Seconds' : 'Count',
  }));
  const apart = Object.fromEntries(counts);
  printMetrics(metrics, { event: 'meters', function: entry, ...values, counts: apart });
}

interface MetricUnit {
  readonly Name: string;
  readonly Unit: string;
}

/** Each metric is of this stage, because an account may hold several. */
function printMetrics(Metrics: readonly MetricUnit[], fields: LogFields): void {
  const metric = { Namespace: 'Tallyhook', Dimensions: [['Stage']], Metrics };
  const _aws = { Timestamp: systemClock.nowMs(), CloudWatchMetrics: [metric] };
  process.stdout.write(`${JSON.stringify({ _aws, Stage: STAGE, ...fields })}\n`);
}
