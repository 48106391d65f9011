import { rm } from 'node:fs/promises';
import { ListQueuesCommand, PurgeQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Body } from '../support/api.ts';
import { type Product, startProduct } from '../support/product.ts';
import { newStateDir } from '../support/state-dir.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { settledFile, uploadFile } from '../support/upload.ts';

const EVENTS = 60;
const USERS = 1_500;
/** The reconciler waits minutes in production, so that it does not get in the way of the relay. */
const IMPATIENT = {
  TALLYHOOK_RECONCILE_AFTER_SECONDS: '5',
  TALLYHOOK_RECHECK_AFTER_SECONDS: '20',
};

let stateDir: string;
let product: Product;
let tenant: TenantWithReceiver;
beforeAll(async () => {
  stateDir = await newStateDir('purge');
  product = await startProduct(stateDir, IMPATIENT);
  tenant = await tenantWithReceiver(
    product,
    { eventTypes: ['order.*'], retry: { maxAttempts: 30, schedule: [2] } },
    { failShare: 0.3 },
  );
});
afterAll(async () => {
  await tenant?.receiver.close();
  await product?.killAll();
  await rm(stateDir, { recursive: true, force: true });
});

it('delivers everything although every queue is purged again and again', async () => {
  const { api, endpointId, receiver } = tenant;
  const users = Array.from({ length: USERS }, (_, n) => `u${n}`);
  const content = ['user_id', ...users].join('\n');
  const file = await uploadFile(api, { content, endpointId });
  for (let n = 0; n < EVENTS; n += 1) {
    await api.post('/v1/events', { type: 'order.paid', data: { n } });
    if (n % 15 === 7) await purgeAll();
  }
  await until(
    () => receiver.received.length,
    (it) => it > USERS / 4,
  );
  await purgeAll();

  const settled = await settledFile(api, file.id);
  const orders = await until(
    () => tenant.accepted().filter(isOrder),
    (it) => new Set(it.map(({ id }) => id)).size === EVENTS,
    undefined,
    500,
  );

  expect(settled).toMatchObject({ alerts: USERS, delivered: USERS, failed: 0 });
  expect(orders.map((it) => (it.data as { n: number }).n).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: EVENTS }, (_, n) => n),
  );
});

function isOrder({ type }: Body): boolean {
  return type === 'order.paid';
}

async function purgeAll(): Promise<void> {
  const client = new SQSClient({
    endpoint: product.sqsUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const { QueueUrls = [] } = await client.send(new ListQueuesCommand({}));
  await Promise.all(QueueUrls.map((QueueUrl) => client.send(new PurgeQueueCommand({ QueueUrl }))));
}
