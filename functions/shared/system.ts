import * as z from 'zod';
import { readConfig } from './config.ts';
import { openIds } from './ids/ulid.ts';
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

const { LOG_LEVEL } = readConfig({ LOG_LEVEL: z.enum(LEVELS).default('info') });

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

/** Counters as CloudWatch embedded metric lines: no call, no agent. */
export const embeddedMetrics: Metrics = {
  count: (name, value = 1, labels = {}) => {
    const metric = {
      Namespace: 'Tallyhook',
      Dimensions: [Object.keys(labels)],
      Metrics: [{ Name: name, Unit: 'Count' }],
    };
    const line = {
      _aws: { Timestamp: systemClock.nowMs(), CloudWatchMetrics: [metric] },
      ...labels,
      [name]: value,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  },
};
