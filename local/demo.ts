import * as z from 'zod';
import { type DemoClient, Id, newTenant, pause, uploadUsers, watchFile } from './demo/client.ts';
import { formatLine } from './receiver/report.ts';
import { type Receiver, startReceiver } from './receiver/server.ts';

const USERS = 10_000;

/** `npm start -- --demo`: the main job on a running local cloud, line by line. */
export async function runDemo(apiUrl: string, adminKey: string): Promise<void> {
  const startedMs = Date.now();
  let isFile = false;
  const receiver = await startReceiver({
    keep: false,
    failNext: 2,
    onWebhook: (webhook) => {
      if (!isFile) say(`           ${formatLine(webhook)}`);
    },
  });
  try {
    const api = await newTenant(apiUrl, adminKey);
    const endpointId = await register(api, receiver);
    await transfer(api);
    await showAttempts(api, endpointId);
    isFile = true;
    await sendFile(api, endpointId, receiver);
    say(`done       in ${((Date.now() - startedMs) / 1_000).toFixed(1)} s. The API goes on.`);
  } finally {
    await receiver.close();
  }
}

async function register(api: DemoClient, receiver: Receiver): Promise<string> {
  say('tenant     made, with its first API key');
  const Endpoint = z.object({ id: z.string(), secret: z.string() });
  const endpoint = await api.post(
    '/v1/endpoints',
    {
      url: receiver.url,
      eventTypes: ['transaction.posted'],
      retry: { maxAttempts: 5, schedule: [1] },
    },
    Endpoint,
  );
  receiver.trust(endpoint.secret);
  say(`endpoint   ${receiver.url}, which verifies signatures and fails twice`);
  return endpoint.id;
}

async function transfer(api: DemoClient): Promise<void> {
  const [a, b] = await Promise.all([
    api.post('/v1/accounts', { currency: 'EUR', name: 'Alice' }, Id),
    api.post('/v1/accounts', { currency: 'EUR', name: 'Bob', minBalance: '-5000' }, Id),
  ]);
  say('accounts   Alice 0.00 EUR, Bob 0.00 EUR with an overdraft of 50.00 EUR');
  const movement = { amount: '2500', currency: 'EUR' };
  await api.post(
    '/v1/transactions',
    { type: 'transfer', sourceAccountId: b.id, destinationAccountId: a.id, ...movement },
    Id,
  );
  const { balance } = await api.get(`/v1/accounts/${a.id}`, z.object({ balance: z.string() }));
  say(`transfer   Bob → Alice 25.00 EUR; Alice has ${(Number(balance) / 100).toFixed(2)} EUR`);
  say('           its event was written in the same transaction, and goes out:');
}

const Deliveries = z.object({
  data: z.array(
    z.object({
      status: z.string(),
      attempts: z.array(z.object({ n: z.number(), outcome: z.string(), ms: z.number() })),
    }),
  ),
});

async function showAttempts(api: DemoClient, endpointId: string): Promise<void> {
  for (;;) {
    const list = await api.get(`/v1/deliveries?endpointId=${endpointId}`, Deliveries);
    const delivered = list.data.find((it) => it.status === 'delivered');
    if (delivered) {
      const attempts = delivered.attempts.map(({ n, outcome, ms }) => `#${n} ${outcome} ${ms} ms`);
      return say(`delivery   delivered; on record: ${attempts.join(', ')}`);
    }
    await pause(100);
  }
}

async function sendFile(api: DemoClient, endpointId: string, receiver: Receiver): Promise<void> {
  const before = receiver.accepted();
  const fileId = await uploadUsers(api, endpointId, USERS);
  say(`file       users.csv with ${USERS} users, one signed alert for each:`);
  await watchFile(api, fileId, ({ status, delivered, pending }) =>
    say(`           ${status}: ${delivered} delivered, ${pending} pending`),
  );
  say(`file       the receiver has ${receiver.accepted() - before} different alerts`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
