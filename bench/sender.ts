/**
 * Signed webhooks per second through the guarded sender against a bare loop of `https.request` with
 * kept connections, both over TLS to the same receiver in a thread of its own. They take turns, so
 * that what else the machine does falls on both.
 *
 *   node bench/sender.ts
 */
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { openGuardedSender } from '../functions/shared/http/guarded-sender.ts';
import { formatSecret, signWebhook } from '../functions/webhooks/signature.ts';
import { type Certificate, selfSigned } from '../test/support/certificate.ts';
import { formatRatio, type Measured, runLoad } from './load.ts';

const CLIENTS = 10;
const ROUNDS = 5;
const HOST = 'receiver.test';
const body = Buffer.from(JSON.stringify({ data: 'x'.repeat(500) }));

async function receive(certificate: Certificate): Promise<void> {
  const server = https.createServer(certificate, (req, res) => {
    req.resume().on('end', () => res.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  parentPort?.postMessage((server.address() as AddressInfo).port);
}

function bareLoop(port: number): () => Promise<void> {
  const agent = new https.Agent({ keepAlive: true });
  const headers = { host: HOST, 'content-length': body.length };
  const options = { agent, host: '127.0.0.1', port, servername: HOST, method: 'POST', headers };
  return () =>
    new Promise((resolve, reject) => {
      const req = https.request(options, (res) => {
        res.resume().on('end', resolve);
      });
      req.on('error', reject).end(body);
    });
}

function guardedLoop(port: number): () => Promise<void> {
  const sender = openGuardedSender({ egress: 'loopback', resolve: async () => ['127.0.0.1'] });
  const secrets = [formatSecret(new Uint8Array(32))];
  const url = `https://${HOST}:${port}/`;
  let sent = 0;
  return async () => {
    sent += 1;
    const id = `evt_${sent}`;
    const timestampSeconds = Math.floor(Date.now() / 1_000);
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signWebhook(secrets, { id, timestampSeconds, body }),
    };
    const result = await sender.post({ url, headers, body, timeoutMs: 10_000 });
    if (result.kind !== 'answered') throw new Error(`the receiver: ${JSON.stringify(result)}`);
  };
}

async function main(): Promise<void> {
  const certificate = selfSigned(HOST);
  tls.setDefaultCACertificates([certificate.cert]);
  const receiver = new Worker(new URL(import.meta.url), { workerData: certificate });
  const [port] = await once(receiver, 'message');
  const loops = { bare: bareLoop(port), guarded: guardedLoop(port) };

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
    'signed and guarded / https.request',
    perSecond('guarded'),
    perSecond('bare'),
  );
  console.log(`${ratio}, the best of ${ROUNDS} rounds at ${CLIENTS} at a time; goal 0.5`);
}

await (isMainThread ? main() : receive(workerData));
