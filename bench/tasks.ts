/**
 * How late tasks fire: 1,000 of them that are due in one second, spread over it or all at its
 * begin, from the due time to the end of the commit that fires them. Some are made long before,
 * whose messages the sweeper sends, and some so shortly that each has a message of its own.
 *
 *   node bench/tasks.ts [tasks]
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MINUTE_MS, SECOND_MS } from '../functions/shared/units.ts';
import { SOON_MS } from '../functions/timers/due.ts';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { percentiles } from './load.ts';

const TASKS = Number(process.argv[2] ?? 1_000);
const CLIENTS = 8;
/** More than it takes to create them. */
const AHEAD_MS = 20 * SECOND_MS + 20 * TASKS;
/** Functions are started and compiled by others, due so long before: idle ones end soon. */
const WARMUP_TASKS = 400;
const WARMUP_MS = 8 * SECOND_MS;
const WARMUP_SPREAD_MS = 4 * SECOND_MS;
const PATIENCE_MS = 120 * SECOND_MS;

/** Tasks of one second, which begins at `startMs`. */
interface Tasks {
  readonly ids: ReadonlySet<string>;
  readonly startMs: number;
}

interface Fired {
  readonly taskId: string;
  readonly lateMs: number;
}

/** What the worker itself told of each task, after its commit. */
function firedIn({ cloud }: BenchCloud): Fired[] {
  return readFileSync(cloud.logFile, 'utf8')
    .split('\n')
    .filter((it) => it.includes('"task.ended"'))
    .map((it) => JSON.parse(it.slice(it.indexOf('{'))) as Fired);
}

function secondFrom(ms: number): number {
  return Math.ceil(ms / SECOND_MS) * SECOND_MS;
}

/** Creates tasks that are due so long after `startMs` each. */
async function create(
  { api }: BenchCloud,
  startMs: number,
  offsetsMs: readonly number[],
): Promise<Tasks> {
  const left = [...offsetsMs];
  const ids = new Set<string>();
  const createNext = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { id } = await api.post<{ id: string }>('/v1/tasks', {
        dueAt: new Date(startMs + next).toISOString(),
        action: { type: 'event', eventType: 'bench.due', data: { n: left.length } },
      });
      ids.add(id);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, createNext));
  return { ids, startMs };
}

/** Has others fired before, and waits until all of these have: how late each was. */
async function lateness(bench: BenchCloud, { ids, startMs }: Tasks): Promise<number[]> {
  const warmups = Array.from({ length: WARMUP_TASKS }, (_, n) =>
    Math.floor((n * WARMUP_SPREAD_MS) / WARMUP_TASKS),
  );
  await create(bench, startMs - WARMUP_MS, warmups);
  if (Date.now() > startMs - WARMUP_MS) throw new Error('some were due before all were created');
  await sleep(startMs + 2 * SECOND_MS - Date.now());
  for (;;) {
    const fired = firedIn(bench).filter((it) => ids.has(it.taskId));
    const isOver = fired.length >= ids.size || Date.now() > startMs + PATIENCE_MS;
    if (isOver) return fired.map((it) => it.lateMs);
    await sleep(SECOND_MS);
  }
}

function rowOf(lateMs: readonly number[]) {
  return {
    ...percentiles(lateMs),
    latestMs: Math.max(...lateMs),
    earliestMs: Math.min(...lateMs),
    fired: lateMs.length,
  };
}

const spread = Array.from({ length: TASKS }, (_, n) => Math.floor((n * SECOND_MS) / TASKS));
const atOnce = spread.map(() => 0);

await withBenchCloud(async (bench) => {
  const createSoon = (offsetsMs: readonly number[]) =>
    create(bench, secondFrom(Date.now() + AHEAD_MS), offsetsMs);
  const sweptMs = secondFrom(Date.now() + SOON_MS + MINUTE_MS + 2 * AHEAD_MS);
  const sweptSpread = await create(bench, sweptMs, spread);
  const sweptAtOnce = await create(bench, sweptMs + AHEAD_MS, atOnce);
  const soonSpread = await lateness(bench, await createSoon(spread));
  const soonAtOnce = await lateness(bench, await createSoon(atOnce));
  console.table({
    'over one second': rowOf(await lateness(bench, sweptSpread)),
    'at one instant': rowOf(await lateness(bench, sweptAtOnce)),
    'over one second, made shortly before': rowOf(soonSpread),
    'at one instant, made shortly before': rowOf(soonAtOnce),
  });
  console.log('late by, to the end of the commit; goal: p50 150 ms, p99 2,000 ms, none early');
});
