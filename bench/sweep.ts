/**
 * How long the sweeper takes to send the messages of very many items that are due in one minute,
 * from the first tick that sees them until the queue has all of them.
 *
 *   node bench/sweep.ts [items]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { openDb } from '../functions/shared/aws/db.ts';
import { openIds } from '../functions/shared/ids/ulid.ts';
import type { Write } from '../functions/shared/world.ts';
import { insertTask } from '../functions/tasks/task.store.ts';
import { callAws } from '../local/aws-call.ts';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';

const ITEMS = Number(process.argv[2] ?? 100_000);
const MINUTE_MS = 60_000;
const WRITES_MAX = 100;
const WRITERS = 4;
/** As many a second as the slowest machine stores. */
const STORED_PER_MS = 0.6;
const PATIENCE_MS = 10 * MINUTE_MS;
const IDS = openIds(Date.now);

/** A task that was cancelled and is on the index nevertheless: nobody has work with it. */
function taskDueAt(dueMs: number, tenantId: string): Write {
  return insertTask({
    id: IDS.next('tsk'),
    tenantId,
    state: 'cancelled',
    dueMs,
    version: 1,
    action: { type: 'event', eventType: 'bench.due', data: '{}' },
    createdAtMs: Date.now(),
  });
}

async function store({ cloud, tenantId }: BenchCloud, startMs: number): Promise<void> {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  });
  const db = openDb({ client, tables: { tasks: cloud.table('tasks') } });
  const dueMsOf = (n: number) => startMs + Math.floor((n * MINUTE_MS) / ITEMS);
  let next = 0;
  const write = async () => {
    while (next < ITEMS) {
      const first = next;
      next = Math.min(ITEMS, next + WRITES_MAX);
      const some = Array.from({ length: next - first }, (_, n) =>
        taskDueAt(dueMsOf(first + n), tenantId),
      );
      const commit = await db.commit(some);
      if (!commit.ok) throw new Error('a task was there already');
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

async function depth({ cloud }: BenchCloud): Promise<number> {
  const sqs = { endpoint: cloud.endpoints.sqs, service: 'sqs' as const };
  const { Attributes } = await callAws<{ Attributes: Record<string, string> }>(
    sqs,
    'GetQueueAttributes',
    { QueueUrl: cloud.queue('tasks'), AttributeNames: ['All'] },
  );
  const of = (name: string) => Number(Attributes[`ApproximateNumberOfMessages${name}`]);
  return of('') + of('Delayed') + of('NotVisible');
}

await withBenchCloud(async (bench) => {
  const minute = Math.ceil((Date.now() + ITEMS / STORED_PER_MS) / MINUTE_MS) + 3;
  await store(bench, minute * MINUTE_MS);
  // The ticks of the cloud come by its clock, and see a minute when it is two minutes away.
  let [seenMs, found] = [0, 0];
  const endMs = Date.now() + PATIENCE_MS;
  while (found < ITEMS && Date.now() < endMs) {
    await sleep(200);
    found = await depth(bench);
    if (found > 0 && seenMs === 0) seenMs = Date.now();
  }
  const doneMs = Date.now();
  const aheadMs = minute * MINUTE_MS - doneMs;
  const seconds = (doneMs - seenMs) / 1_000;
  console.log(`${found} of ${ITEMS} messages in ${seconds.toFixed(1)} s`);
  const when = aheadMs >= 0 ? 'before' : 'after';
  console.log(`the last ${Math.abs(Math.round(aheadMs / 1_000))} s ${when} the minute begins`);
});
