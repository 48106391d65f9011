/**
 * How many webhooks of others are taken in, and how soon they are done: at 1,000 a minute, as fast
 * as it goes, and at ten times the backlog limit. Anyone can run it: `npm run load:inbox`.
 *
 *   node bench/load-inbox.ts [seconds]
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { Refused } from './json-client.ts';
import { formatRatio, percentiles, runLoad } from './load.ts';
import { localDynamo } from './raw-transfers.ts';

const SECONDS = Number(process.argv[2] ?? 60);
const PER_MINUTE = 1_000;
const LOAD = { clients: 8, warmupMs: 5_000, measureMs: 15_000 };
const BACKLOG_MAX = 10;
const BURSTS = 10;
const POLL_MS = 20;
const PATIENCE_MS = 60_000;

interface Webhook {
  readonly id: string;
  readonly status: string;
}

/** A body as a sender would write it. */
const bodyOf = (n: number) => ({ type: 'order.paid', n, orderId: randomUUID(), total: '25.00' });

/** A source whose sender signs nothing: what is measured is not the signature. */
async function newSource({ api }: BenchCloud, terms: object = {}): Promise<string> {
  const source = { name: 'Load', scheme: 'none', ...terms };
  const { id } = await api.post<{ id: string }>('/v1/sources', source);
  return `/v1/in/${id}`;
}

/** One after the other at a fixed rate, however long each takes: how long each took. */
async function atRate(work: (n: number) => Promise<unknown>): Promise<number[]> {
  const count = Math.round((SECONDS * PER_MINUTE) / 60);
  const startMs = performance.now();
  const durations = Array.from({ length: count }, async (_, n) => {
    const atMs = (n * 60_000) / PER_MINUTE;
    await sleep(Math.max(0, startMs + atMs - performance.now()));
    const beganMs = performance.now();
    await work(n);
    return performance.now() - beganMs;
  });
  return Promise.all(durations);
}

/** Asks until the webhook has ended. Throws when it has failed, or never ends. */
async function untilFinal({ api }: BenchCloud, id: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { status } = await api.get<Webhook>(`/v1/webhooks/${id}`);
    if (status === 'completed') return;
    if (status === 'failed' || performance.now() > endMs) throw new Error(`${id} is ${status}`);
    await sleep(POLL_MS);
  }
}

const rows: Record<string, unknown>[] = [];

function row(what: string, durations: readonly number[], more: object = {}): void {
  rows.push({ what, requests: durations.length, ...percentiles(durations), ...more });
}

async function measureMinute(bench: BenchCloud): Promise<void> {
  const path = await newSource(bench);
  await atRateWarm(bench, path);
  const posts = await atRate((n) => bench.api.post(path, bodyOf(n)));
  row(`POST, ${PER_MINUTE} a minute`, posts);
  const finals = await atRate(async (n) => {
    const { id } = await bench.api.post<Webhook>(path, bodyOf(n));
    await untilFinal(bench, id);
  });
  row(`POST and GET until final, ${PER_MINUTE} a minute`, finals);
}

/** Functions are started and compiled by others. */
async function atRateWarm(bench: BenchCloud, path: string): Promise<void> {
  for (let n = 0; n < 50; n += 1) {
    const { id } = await bench.api.post<Webhook>(path, bodyOf(n));
    if (n % 10 === 0) await untilFinal(bench, id);
  }
}

async function measureSpeed(bench: BenchCloud): Promise<string> {
  const path = await newSource(bench);
  let n = 0;
  const product = await runLoad(LOAD, async () => {
    n += 1;
    await bench.api.post(path, bodyOf(n));
  });
  const client = localDynamo(bench.cloud.endpoints.dynamodb);
  const table = bench.cloud.table('inbox');
  const raw = await runLoad(LOAD, () => putOne(client, table));
  for (const [what, it] of [
    [`POST, as fast as it goes, ${LOAD.clients} clients`, product],
    [`bare put loop, ${LOAD.clients} clients`, raw],
  ] as const) {
    const { p50Ms, p99Ms, perSecond } = it;
    rows.push({ what, p50Ms, p99Ms, perSecond });
  }
  return formatRatio('taken in over HTTP / bare puts', product.perSecond, raw.perSecond);
}

/** An item of the size and with the indexes of a receipt. */
async function putOne(client: DynamoDBClient, TableName: string): Promise<void> {
  const id = randomUUID();
  const text = (S: string) => ({ S });
  const Item = {
    ...{ pk: text(`bench#${id}`), sk: text('#'), body: text(JSON.stringify(bodyOf(1))) },
    ...{ status: text('pending'), fp: text('x'.repeat(43)), tenant: text('bench') },
    ...{ listingPk: text('bench#open'), listingSk: text(id) },
    ...{ duePk: text('999912312359#0'), dueSk: text(id) },
  };
  const ConditionExpression = 'attribute_not_exists(pk)';
  await client.send(new PutItemCommand({ TableName, Item, ConditionExpression }));
}

/** Ten times as many as may be open, at once: what is taken completes, the rest is told when. */
async function measureBacklog(bench: BenchCloud): Promise<string> {
  const path = await newSource(bench, { maxBacklog: BACKLOG_MAX, overflow: 'reject' });
  const durations: number[] = [];
  let [taken, refused] = [0, 0];
  const send = async (n: number): Promise<string[]> => {
    const beganMs = performance.now();
    try {
      return [(await bench.api.post<Webhook>(path, bodyOf(n))).id];
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 429) throw error;
      if (error.retryAfterMs === 0) throw new Error('a refusal does not say when to come back');
      refused += 1;
      return [];
    } finally {
      durations.push(performance.now() - beganMs);
    }
  };
  for (let burst = 0; burst < BURSTS; burst += 1) {
    const all = await Promise.all(Array.from({ length: 10 * BACKLOG_MAX }, (_, n) => send(n)));
    for (const id of all.flat()) await untilFinal(bench, id);
    taken += all.flat().length;
  }
  row(`POST, ${BURSTS} bursts of 10 × a backlog of ${BACKLOG_MAX}`, durations);
  return `10 × the backlog: ${taken} taken and completed, ${refused} refused with 429, 0 lost`;
}

await withBenchCloud(async (bench) => {
  await measureMinute(bench);
  const ratio = await measureSpeed(bench);
  const backlog = await measureBacklog(bench);
  console.table(rows);
  console.log(backlog);
  console.log(ratio);
});
