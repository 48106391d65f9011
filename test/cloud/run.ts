import assert from 'node:assert/strict';
import { newAccount } from '../support/api.ts';
import { tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { settledFile, uploadFile } from '../support/upload.ts';
import { cdk, type Deployed, deploy } from './deployment.ts';
import { startMiniStack } from './ministack.ts';

/**
 * `npm run test:cloud`: the proof that the stack works where we did not make the cloud. Plain
 * `cdk` deploys it to an independent emulator, a stranger uses it over HTTP, and it is destroyed.
 */
const JOBS: Readonly<Record<string, (at: Deployed) => Promise<void>>> = {
  'answers its health': async ({ apiUrl }) => {
    const answer = await fetch(`${apiUrl}/health`);
    assert.equal(answer.status, 200);
  },

  'posts a transfer and delivers its event, signed': async (at) => {
    const { api, receiver, accepted } = await tenantWithReceiver(at, {
      eventTypes: ['transaction.posted'],
    });
    try {
      const from = await newAccount(api, '500');
      const to = await newAccount(api);
      const transfer = { sourceAccountId: from, destinationAccountId: to, amount: '120' };
      const posted = await api.post<{ id: string }>('/v1/transactions', {
        type: 'transfer',
        ...transfer,
        currency: 'EUR',
      });
      assert.equal(posted.status, 201);
      const { body } = await api.get(`/v1/accounts/${from}`);
      assert.equal(body.balance, '380');
      await until(accepted, (bodies) => JSON.stringify(bodies).includes(posted.body.id));
    } finally {
      await receiver.close();
    }
  },

  'refuses what the sender may not pay': async (at) => {
    const { api, receiver } = await tenantWithReceiver(at);
    try {
      const accountId = await newAccount(api, '1');
      const debit = { type: 'debit', accountId, amount: '2', currency: 'EUR' };
      const { status, body } = await api.post('/v1/transactions', debit);
      assert.deepEqual([status, body.code], [422, 'insufficient_funds']);
    } finally {
      await receiver.close();
    }
  },

  'tries a delivery again until the receiver takes it': async (at) => {
    const endpoint = { eventTypes: ['order.paid'], retry: { maxAttempts: 3, schedule: [1] } };
    const { api, receiver, accepted } = await tenantWithReceiver(at, endpoint, { failNext: 1 });
    try {
      const { status } = await api.post('/v1/events', { type: 'order.paid', data: { order: 7 } });
      assert.equal(status, 202);
      await until(accepted, (bodies) => bodies.length === 1);
      assert.equal(receiver.received.length, 2);
    } finally {
      await receiver.close();
    }
  },

  'alerts each user of a file once': async (at) => {
    const { api, receiver, endpointId, accepted } = await tenantWithReceiver(at, {
      eventTypes: ['file.completed'],
    });
    try {
      const users = Array.from({ length: 1_200 }, (_, i) => `user-${i}`);
      const content = `user_id\n${users.join('\n')}\n`;
      const { id } = await uploadFile(api, { content, endpointId });
      const file = await settledFile(api, id, 120_000);
      assert.deepEqual([file.status, file.alerts, file.delivered], ['completed', 1_200, 1_200]);
      const alerts = accepted().filter(({ type }) => type === 'alert');
      const alerted = alerts.map(({ data }) => (data as { userId: string }).userId);
      assert.deepEqual(alerted.sort(), users.sort());
    } finally {
      await receiver.close();
    }
  },
};

let passed = 0;
let failed = 0;

/** Runs one check and prints how it went. Says whether it passed. */
async function check(title: string, job: () => Promise<unknown>): Promise<boolean> {
  const startedMs = performance.now();
  try {
    await job();
    passed += 1;
    console.log(`ok      ${title} (${Math.round(performance.now() - startedMs)} ms)`);
    return true;
  } catch (error) {
    failed += 1;
    console.log(`not ok  ${title}\n${error instanceof Error ? error.stack : error}`);
    return false;
  }
}

const cloud = await startMiniStack();
try {
  let deployed: Deployed | undefined;
  await check('cdk bootstrap', () => cdk(cloud, 'bootstrap'));
  await check('cdk deploy', async () => {
    deployed = await deploy(cloud);
  });
  const at = deployed;
  if (at) {
    for (const [title, job] of Object.entries(JOBS)) await check(title, () => job(at));
    await check('cdk destroy', () => cdk(cloud, 'destroy', '--force'));
  }
} finally {
  await cloud.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
