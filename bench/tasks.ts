/**
 * How late tasks fire: 1,000 of them that are due in one second, spread over it or all at its
 * begin, from the due time to the end of the commit that fires them.
 *
 *   node bench/tasks.ts [tasks]
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { percentiles } from './load.ts';

const TASKS = Number(process.argv[2] ?? 1_000);
const CLIENTS = 8;
const SECOND_MS = 1_000;
/** More than it takes to create them. */
const AHEAD_MS = 20 * SECOND_MS + 20 * TASKS;
/** Functions are started and compiled by others, due so long before: idle ones end soon. */
const WARMUP_TASKS = 400;
const WARMUP_MS = 8 * SECOND_MS;
const WARMUP_SPREAD_MS = 4 * SECOND_MS;
const PATIENCE_MS = 120 * SECOND_MS;

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

/** Creates tasks, each at its time, and waits until all of them have fired: how late each was. */
async function fireAll(bench: BenchCloud, offsetsMs: readonly number[]): Promise<number[]> {
  const startMs = Math.ceil((Date.now() + AHEAD_MS) / SECOND_MS) * SECOND_MS;
  const warmups = Array.from({ length: WARMUP_TASKS }, (_, n) => ({
    dueMs: startMs - WARMUP_MS + Math.floor((n * WARMUP_SPREAD_MS) / WARMUP_TASKS),
    isMeasured: false,
  }));
  const measured = offsetsMs.map((it) => ({ dueMs: startMs + it, isMeasured: true }));
  const left = [...warmups, ...measured];
  const ids = new Set<string>();
  const create = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const { id } = await bench.api.post<{ id: string }>('/v1/tasks', {
        dueAt: new Date(next.dueMs).toISOString(),
        action: { type: 'event', eventType: 'bench.due', data: { n: left.length } },
      });
      if (next.isMeasured) ids.add(id);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, create));
  if (Date.now() > startMs - WARMUP_MS) throw new Error('some were due before all were created');
  await sleep(startMs + 2 * SECOND_MS - Date.now());
  for (;;) {
    const fired = firedIn(bench).filter((it) => ids.has(it.taskId));
    const isOver = fired.length >= ids.size || Date.now() > startMs + PATIENCE_MS;
    if (isOver) return fired.map((it) => it.lateMs);
    await sleep(SECOND_MS);
  }
}

const spread = Array.from({ length: TASKS }, (_, n) => Math.floor((n * SECOND_MS) / TASKS));

await withBenchCloud(async (bench) => {
  const over = await fireAll(bench, spread);
  const atOnce = await fireAll(bench, Array(TASKS).fill(0));
  const rowOf = (lateMs: readonly number[]) => ({
    ...percentiles(lateMs),
    latestMs: Math.max(...lateMs),
    earliestMs: Math.min(...lateMs),
    fired: lateMs.length,
  });
  console.table({
    [`${TASKS} over one second`]: rowOf(over),
    [`${TASKS} at one instant`]: rowOf(atOnce),
  });
  console.log('late by, to the end of the commit; goal: p50 150 ms, p99 2,000 ms, none early');
});
