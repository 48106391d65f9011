/**
 * Webhooks through the local cloud, from POST /v1/events to the receiver, against a bare loop that
 * signs and POSTs the same body to the same receiver. Before that, one event at a time, from the
 * timestamp of the commit to the receiver.
 *
 *   node bench/deliveries.ts [events]
 */
import http from 'node:http';
import { signWebhook } from '../functions/webhooks/signature.ts';
import { type Receiver, startReceiver } from '../local/receiver/server.ts';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { formatRatio, percentiles, runLoad } from './load.ts';

const EVENTS = Number(process.argv[2] ?? 2_000);
const SINGLE_EVENTS = 100;
const CLIENTS = 8;

/** Counts the arrivals of a receiver, and lets one wait for them. */
function watchArrivals() {
  const latenciesMs: number[] = [];
  let wake = () => {};
  return {
    latenciesMs,
    onWebhook({ atMs, body }: { atMs: number; body: Buffer }): void {
      latenciesMs.push(atMs - Date.parse(JSON.parse(body.toString()).timestamp));
      wake();
    },
    async reach(count: number): Promise<void> {
      while (latenciesMs.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

type Arrivals = ReturnType<typeof watchArrivals>;

const postEvent = ({ api }: BenchCloud, n: number) =>
  api.post('/v1/events', { type: 'bench.happened', data: { n, text: 'x'.repeat(400) } });

async function measureSingles(bench: BenchCloud, arrivals: Arrivals): Promise<object> {
  for (let n = 0; n < 20; n += 1) {
    await postEvent(bench, n);
    await arrivals.reach(n + 1);
  }
  arrivals.latenciesMs.length = 0;
  for (let n = 0; n < SINGLE_EVENTS; n += 1) {
    await postEvent(bench, n);
    await arrivals.reach(n + 1);
  }
  return percentiles(arrivals.latenciesMs);
}

async function measureFlow(bench: BenchCloud, arrivals: Arrivals) {
  arrivals.latenciesMs.length = 0;
  const startMs = performance.now();
  let next = 0;
  const client = async () => {
    while (next < EVENTS) {
      next += 1;
      await postEvent(bench, next);
    }
  };
  const ratePerSecond = () => Math.round((EVENTS / (performance.now() - startMs)) * 1_000);
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const postedPerSecond = ratePerSecond();
  await arrivals.reach(EVENTS);
  return { postedPerSecond, perSecond: ratePerSecond(), ...percentiles(arrivals.latenciesMs) };
}

function bareLoop({ url, received }: Receiver, secret: string): () => Promise<void> {
  const agent = new http.Agent({ keepAlive: true });
  const body = received.at(-1)?.body ?? Buffer.alloc(0);
  let count = 0;
  return () => {
    count += 1;
    const id = `evt_bare${count}`;
    const timestampSeconds = Math.floor(Date.now() / 1_000);
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      'webhook-id': id,
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signWebhook([secret], { id, timestampSeconds, body }),
    };
    return new Promise((resolve, reject) => {
      const req = http.request(url, { agent, method: 'POST', headers }, (res) => {
        res.resume().on('end', resolve);
      });
      req.on('error', reject).end(body);
    });
  };
}

await withBenchCloud(async (bench) => {
  const arrivals = watchArrivals();
  const receiver = await startReceiver({ onWebhook: arrivals.onWebhook });
  const { secret } = await bench.api.post<{ secret: string }>('/v1/endpoints', {
    url: receiver.url,
  });
  receiver.trust(secret);

  const single = await measureSingles(bench, arrivals);
  const flow = await measureFlow(bench, arrivals);
  const doubles = receiver.received.filter((it) => it.duplicate).length;
  const load = { clients: CLIENTS, warmupMs: 500, measureMs: 3_000 };
  const bare = await runLoad(load, bareLoop(receiver, secret));
  await receiver.close();

  console.table({
    'one at a time, commit to receiver': single,
    [`${EVENTS} events from ${CLIENTS} clients, to the receiver`]: flow,
    'bare signed POST loop': bare,
  });
  console.log(`${doubles} webhooks came twice`);
  console.log(formatRatio('deliveries / bare signed POST', flow.perSecond, bare.perSecond));
});
