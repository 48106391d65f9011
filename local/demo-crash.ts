/** `npm run demo:crash`: kills the worker in mid-file and shows that nobody is missed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { type DemoClient, newTenant, uploadUsers, watchFile } from './demo/client.ts';
import { type LocalCloud, startLocalCloud } from './local-cloud.ts';
import { type Receiver, startReceiver } from './receiver/server.ts';

const USERS = 20_000;
const BLOCK_WORKER = 'files/on-block';

async function main(): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'tallyhook-demo-'));
  const cloud = await startLocalCloud({ stateDir });
  const receiver = await startReceiver({ keep: false });
  try {
    say('started    a local cloud of its own, and a receiver');
    await show(cloud, receiver);
  } finally {
    await receiver.close();
    await cloud.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

async function show(cloud: LocalCloud, receiver: Receiver): Promise<void> {
  const api = await newTenant(cloud.apiUrl, cloud.adminKey);
  const endpointId = await register(api, receiver);
  const startedMs = Date.now();
  const fileId = await uploadUsers(api, endpointId, USERS);
  say(`file       ${USERS} users, one alert for each`);
  let isKilled = false;
  await watchFile(api, fileId, async ({ status, delivered, pending }) => {
    const seconds = String(Math.round((Date.now() - startedMs) / 1_000)).padStart(4);
    say(`${seconds} s     ${status}: ${delivered} delivered, ${pending} pending`);
    if (isKilled || delivered < USERS / 4) return;
    isKilled = true;
    const killed = await cloud.killInstances(BLOCK_WORKER);
    say(`kill -9    ${killed} block workers, in mid-flight; their leases end within 65 s`);
  });
  say(`done       ${receiver.accepted()} of ${USERS} users were alerted, nobody was missed`);
  if (!isKilled) say('           (the file was done before the worker could be killed)');
  process.exitCode = isKilled && receiver.accepted() === USERS ? 0 : 1;
}

async function register(api: DemoClient, receiver: Receiver): Promise<string> {
  const endpoint = await api.post(
    '/v1/endpoints',
    { url: receiver.url, eventTypes: ['file.failed'] },
    z.object({ id: z.string() }),
  );
  return endpoint.id;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
