/**
 * What a tenant notices of another one whose receiver hangs: 10,000 events for a receiver that
 * never answers, and meanwhile five events a second of somebody else, from the timestamp of the
 * commit to the receiver.
 *
 *   node bench/fairness.ts [events that hang] [seconds]
 */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { startReceiver } from '../local/receiver/server.ts';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { type JsonClient, openClient } from './json-client.ts';
import { percentiles } from './load.ts';

const EVENTS = Number(process.argv[2] ?? 10_000);
const SECONDS = Number(process.argv[3] ?? 60);
const PROBE_MS = 200;
const BATCH = 100;

async function newTenant({ cloud }: BenchCloud, name: string): Promise<JsonClient> {
  const admin = openClient(cloud.apiUrl, cloud.adminKey);
  const { apiKey } = await admin.post<{ apiKey: { key: string } }>('/v1/tenants', {
    name,
    limits: { requestsPerSecond: 10_000, burst: 20_000 },
  });
  return openClient(cloud.apiUrl, apiKey.key);
}

/** Takes requests and never answers. */
async function startSilence() {
  let requests = 0;
  const server = http.createServer((request) => {
    requests += 1;
    request.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    requests: () => requests,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** One event after another, whether or not the one before has arrived. */
async function probe(api: JsonClient, seconds: number): Promise<number> {
  const endMs = performance.now() + 1_000 * seconds;
  let sent = 0;
  while (performance.now() < endMs) {
    await Promise.all([api.post('/v1/events', { type: 'probe.sent', data: {} }), sleep(PROBE_MS)]);
    sent += 1;
  }
  return sent;
}

async function postHanging(api: JsonClient): Promise<void> {
  const events = Array.from({ length: BATCH }, (_, n) => ({ type: 'bench.hangs', data: { n } }));
  for (let sent = 0; sent < EVENTS; sent += BATCH) await api.post('/v1/events/batch', { events });
}

await withBenchCloud(async (bench) => {
  const latencies: { readonly ms: number; readonly atMs: number }[] = [];
  const receiver = await startReceiver({
    keep: false,
    onWebhook: ({ atMs, body }) => {
      latencies.push({ atMs, ms: atMs - Date.parse(JSON.parse(body.toString()).timestamp) });
    },
  });
  const silence = await startSilence();
  const quiet = bench.api;
  await quiet.post('/v1/endpoints', { url: receiver.url });
  const noisy = await newTenant(bench, 'Noisy');
  await noisy.post('/v1/endpoints', { url: silence.url });

  await probe(quiet, 10);
  const alone = percentiles(latencies.splice(0).map((it) => it.ms));
  const startMs = Date.now();
  const [sent] = await Promise.all([probe(quiet, SECONDS), postHanging(noisy)]);
  for (let waited = 0; latencies.length < sent && waited < 60; waited += 1) await sleep(1_000);

  const all = latencies.map((it) => it.ms);
  const slow = latencies.filter((it) => it.ms > 2_000);
  console.table({ alone, [`while ${EVENTS} hang`]: percentiles(all) });
  console.log(`${all.length} of ${sent} arrived, the slowest after ${Math.max(...all)} ms`);
  const seconds = slow.map((it) => Math.round((it.atMs - it.ms - startMs) / 1_000));
  const when = slow.length === 0 ? '' : ` (seconds ${seconds[0]} to ${seconds.at(-1)})`;
  console.log(`${slow.length} took over 2 s${when}; goal: the 99th percentile within 2 s`);
  console.log(`${silence.requests()} requests hung`);
  silence.close();
  await receiver.close();
});
