/**
 * Requests per second of the guarded sender against a bare loop of `http.request` with kept
 * connections, both to the same receiver in a thread of its own. They take turns, so that what
 * else the machine does falls on both.
 *
 *   node bench/sender.ts
 */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { openGuardedSender } from '../functions/shared/http/guarded-sender.ts';
import { formatRatio, type Measured, runLoad } from './load.ts';

const CLIENTS = 10;
const ROUNDS = 5;
const body = Buffer.from(JSON.stringify({ data: 'x'.repeat(500) }));

async function receive(): Promise<void> {
  const server = http.createServer((req, res) => req.resume().on('end', () => res.end()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  parentPort?.postMessage((server.address() as AddressInfo).port);
}

function bareLoop(url: string): () => Promise<void> {
  const agent = new http.Agent({ keepAlive: true });
  const headers = { 'content-length': body.length };
  return () =>
    new Promise((resolve, reject) => {
      const req = http.request(url, { agent, method: 'POST', headers }, (res) => {
        res.resume().on('end', resolve);
      });
      req.on('error', reject).end(body);
    });
}

function guardedLoop(url: string): () => Promise<void> {
  const sender = openGuardedSender({ egress: 'loopback' });
  return async () => {
    const sent = await sender.post({ url, headers: {}, body, timeoutMs: 10_000 });
    if (sent.kind !== 'answered') throw new Error(`the receiver did not answer: ${sent.kind}`);
  };
}

async function main(): Promise<void> {
  const receiver = new Worker(new URL(import.meta.url));
  const [port] = await once(receiver, 'message');
  const url = `http://127.0.0.1:${port}/`;
  const loops = { bare: bareLoop(url), guarded: guardedLoop(url) };

  const rounds: { bare: Measured; guarded: Measured }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const load = { clients: CLIENTS, warmupMs: 500, measureMs: 1_500 };
    const bare = await runLoad(load, loops.bare);
    rounds.push({ bare, guarded: await runLoad(load, loops.guarded) });
  }
  await receiver.terminate();

  const perSecond = (loop: 'bare' | 'guarded') =>
    Math.max(...rounds.map((it) => it[loop].perSecond));
  console.table(
    rounds.map(({ bare, guarded }) => ({ bare: bare.perSecond, guarded: guarded.perSecond })),
  );
  const ratio = formatRatio(
    'guarded sender / http.request',
    perSecond('guarded'),
    perSecond('bare'),
  );
  console.log(`${ratio}, the best of ${ROUNDS} rounds at ${CLIENTS} at a time; goal 0.7`);
}

await (isMainThread ? main() : receive());
