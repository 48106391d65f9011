/**
 * Webhooks through the local cloud, from the commit of the event to the receiver: one at a time,
 * at a steady rate, and as many as go, the latter against a bare loop that signs and POSTs the same
 * body with as many connections as the cloud had open at most. The receiver is on plain http for
 * both, because no certificate of this machine is one that the sender would believe.
 *
 *   node bench/deliveries.ts [events]
 */
import { setTimeout as wait } from 'node:timers/promises';
import { barePost } from './bare-post.ts';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { formatRatio, percentiles, runLoad } from './load.ts';
import { type Arrival, type BenchReceiver, startBenchReceiver } from './receiver-thread.ts';

const EVENTS = Number(process.argv[2] ?? 2_000);
const SINGLE_EVENTS = 100;
const STEADY_PER_SECOND = 40;
const STEADY_SECONDS = 15;
const BATCH = 100;
/** At once, from near by, and as from somewhere on the internet that stores what it gets. */
const DELAYS_MS = [0, 50, 200];

const eventOf = (n: number) => ({ type: 'bench.happened', data: { n, text: 'x'.repeat(400) } });
const latenciesOf = (arrivals: readonly Arrival[]) =>
  percentiles(arrivals.map(({ latencyMs }) => latencyMs));

async function measureSingles({ api }: BenchCloud, receiver: BenchReceiver): Promise<object> {
  const sendOne = async (n: number) => {
    receiver.begin();
    await api.post('/v1/events', eventOf(n));
    const { arrivals } = await receiver.reach(1);
    return arrivals;
  };
  for (let n = 0; n < 20; n += 1) await sendOne(n);
  const measured: Arrival[] = [];
  for (let n = 0; n < SINGLE_EVENTS; n += 1) measured.push(...(await sendOne(n)));
  return latenciesOf(measured);
}

/** Posted by the clock, whether or not earlier ones were answered. */
async function measureSteady({ api }: BenchCloud, receiver: BenchReceiver): Promise<object> {
  const count = STEADY_PER_SECOND * STEADY_SECONDS;
  receiver.begin();
  const startMs = performance.now();
  const posts: Promise<unknown>[] = [];
  for (let n = 0; n < count; n += 1) {
    await wait(Math.max(0, startMs + (1_000 * n) / STEADY_PER_SECOND - performance.now()));
    posts.push(api.post('/v1/events', eventOf(n)));
  }
  await Promise.all(posts);
  return latenciesOf((await receiver.reach(count)).arrivals);
}

interface Flow {
  readonly perSecond: number;
  readonly openMax: number;
  readonly doubles: number;
}

/** As many as go: the events come in batches, so that what is measured is what comes after. */
async function measureFlow(
  { api }: BenchCloud,
  receiver: BenchReceiver,
  delayMs: number,
): Promise<Flow> {
  receiver.begin(delayMs);
  const startMs = performance.now();
  for (let first = 0; first < EVENTS; first += BATCH) {
    const events = Array.from({ length: BATCH }, (_, at) => eventOf(first + at));
    await api.post('/v1/events/batch', { events });
  }
  const { arrivals, openMax } = await receiver.reach(EVENTS);
  const seconds = (performance.now() - startMs) / 1_000;
  return {
    perSecond: Math.round(EVENTS / seconds),
    openMax,
    doubles: arrivals.length - EVENTS,
  };
}

await withBenchCloud(async (bench) => {
  const receiver = await startBenchReceiver();
  await bench.api.post('/v1/endpoints', { url: receiver.url });
  console.table({
    'one at a time': await measureSingles(bench, receiver),
    [`${STEADY_PER_SECOND} a second`]: await measureSteady(bench, receiver),
  });
  console.log('from the commit of an event to its receiver; goal for one at a time: p50 150 ms\n');

  for (const delayMs of DELAYS_MS) {
    const flow = await measureFlow(bench, receiver, delayMs);
    receiver.begin(delayMs);
    const load = { clients: flow.openMax, warmupMs: 500, measureMs: 3_000 };
    const bare = await runLoad(load, barePost(receiver.url, eventOf(1)));
    const how = `answered after ${delayMs} ms, ${flow.openMax} open`;
    const title = `deliveries / bare signed POST, ${how}`;
    console.log(formatRatio(title, flow.perSecond, bare.perSecond));
    if (flow.doubles > 0) console.log(`${flow.doubles} webhooks came twice`);
  }
  await receiver.close();
});
