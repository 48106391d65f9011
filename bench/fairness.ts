/**
 * What a tenant notices of another one whose receiver hangs: 10,000 events for a receiver that
 * never answers, and meanwhile five events a second of somebody else, from the timestamp of the
 * commit to the receiver. Beside it the same with a receiver that answers, which shows how much of
 * it is the hanging, and how much the events themselves.
 *
 *   node bench/fairness.ts [events that hang] [of them per second]
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
const PER_SECOND = Number(process.argv[3] ?? 250);
/** Those that hang have their retries meanwhile. */
const AFTERWARDS_SECONDS = 20;
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
async function probe(api: JsonClient, signal: AbortSignal): Promise<number> {
  let sent = 0;
  for (; !signal.aborted; sent += 1) {
    await Promise.all([api.post('/v1/events', { type: 'probe.sent', data: {} }), sleep(PROBE_MS)]);
  }
  return sent;
}

/** As even as batches can be, and less often where the machine does not take so many. */
async function postNoise(api: JsonClient): Promise<number> {
  const events = Array.from({ length: BATCH }, (_, n) => ({ type: 'bench.noise', data: { n } }));
  const startMs = performance.now();
  for (let sent = 0; sent < EVENTS; sent += BATCH) {
    const pauseMs = (1_000 * BATCH) / PER_SECOND;
    await Promise.all([api.post('/v1/events/batch', { events }), sleep(pauseMs)]);
  }
  return Math.round((1_000 * EVENTS) / (performance.now() - startMs));
}

/** Probes for as long as the work takes. Answers how late what arrived was. */
async function probeBeside<Result>(quiet: Quiet, work: Promise<Result>) {
  const stop = new AbortController();
  const probing = probe(quiet.api, stop.signal);
  const result = await work;
  stop.abort();
  const sent = await probing;
  for (let waited = 0; quiet.latenciesMs.length < sent && waited < 60; waited += 1) {
    await sleep(1_000);
  }
  const latenciesMs = quiet.latenciesMs.splice(0);
  const over2s = latenciesMs.filter((ms) => ms > 2_000).length;
  const missing = sent - latenciesMs.length;
  return { result, row: { ...percentiles(latenciesMs), sent, over2s, missing } };
}

interface Quiet {
  readonly api: JsonClient;
  /** Of what has arrived since somebody looked. */
  readonly latenciesMs: number[];
}

/** A tenant of its own, so that what the one before has learned is nobody's help. */
async function besideNoise(bench: BenchCloud, quiet: Quiet, url: string) {
  const noisy = await newTenant(bench, 'Noisy');
  await noisy.post('/v1/endpoints', { url });
  const noise = async () => {
    const perSecond = await postNoise(noisy);
    await sleep(1_000 * AFTERWARDS_SECONDS);
    return perSecond;
  };
  const { result, row } = await probeBeside(quiet, noise());
  return { ...row, noisePerSecond: result };
}

await withBenchCloud(async (bench) => {
  const latenciesMs: number[] = [];
  const quiet = { api: bench.api, latenciesMs };
  const receiver = await startReceiver({
    keep: false,
    onWebhook: ({ atMs, body }) => {
      latenciesMs.push(atMs - Date.parse(JSON.parse(body.toString()).timestamp));
    },
  });
  const [silence, answering] = [await startSilence(), await startReceiver({ keep: false })];
  await quiet.api.post('/v1/endpoints', { url: receiver.url });

  const { row: alone } = await probeBeside(quiet, sleep(10_000));
  const answered = await besideNoise(bench, quiet, answering.url);
  const hanging = await besideNoise(bench, quiet, silence.url);

  console.table({
    alone,
    [`beside ${EVENTS} that are answered`]: answered,
    [`beside ${EVENTS} that hang`]: hanging,
  });
  console.log(`${silence.requests()} requests hung; goal: the 99th percentile within 2 s`);
  silence.close();
  await answering.close();
  await receiver.close();
});
