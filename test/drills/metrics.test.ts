import { rm } from 'node:fs/promises';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRoutes } from '../../functions/operations/all-routes.ts';
import { ACCESS } from '../../lib/access.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { newAccount } from '../support/api.ts';
import { parseMetrics, valueIn } from '../support/prometheus.ts';
import { newStateDir } from '../support/state-dir.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

// Its own cloud, where nobody else is counted.
let stateDir: string;
let cloud: LocalCloud;
let tenant: TenantWithReceiver;
beforeAll(async () => {
  stateDir = await newStateDir('metrics');
  // An instance that is ended keeps what it counted last to itself: none is to make room.
  cloud = await startLocalCloud({ stateDir, instancesMax: 100 });
  tenant = await tenantWithReceiver(cloud, { eventTypes: ['transaction.posted'] });
});
afterAll(async () => {
  await tenant?.receiver.close();
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

async function metrics() {
  const headers = { authorization: `Bearer ${cloud.adminKey}` };
  const answer = await fetch(`${cloud.apiUrl}/metrics`, { headers });
  expect(answer.status).toBe(200);
  return parseMetrics(await answer.text());
}

type Metrics = Awaited<ReturnType<typeof metrics>>;

/** Whether all have answered who were asked: on a slow machine one may take too long. */
const isWhole = (found: Metrics) =>
  found.get('tallyhook_scrape_errors')?.metrics.every(({ value }) => value === '0') === true;

const posting = (status: string, found: Metrics) =>
  valueIn(found, 'tallyhook_http_requests_total', { route: 'POST /v1/transactions', status });
const transfers = (status: string, found: Metrics) =>
  valueIn(found, 'tallyhook_transactions_total', { status, type: 'transfer' });
const coldStarts = (name: string, found: Metrics) =>
  valueIn(found, 'tallyhook_cold_starts_total', { function: name });

let from: string;
let to: string;
async function transfer(amount: string): Promise<number> {
  const order = {
    type: 'transfer',
    sourceAccountId: from,
    destinationAccountId: to,
    amount,
    currency: 'EUR',
  };
  return (await tenant.api.post('/v1/transactions', order)).status;
}

/** An instance adds what it has counted when it is called again, ten seconds later. */
async function afterCalls(isSo: (found: Metrics) => boolean): Promise<Metrics> {
  return until(
    async () => {
      await tenant.api.send(`/v1/accounts/${from}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'still here' }),
      });
      return metrics();
    },
    isSo,
    undefined,
    500,
  );
}

it('count exactly what was done, and go on where an instance ended', async () => {
  from = await newAccount(tenant.api, '100');
  to = await newAccount(tenant.api);
  for (let n = 0; n < 5; n += 1) expect(await transfer('1')).toBe(201);
  for (let n = 0; n < 2; n += 1) expect(await transfer('1000')).toBe(422);

  // The credit is one of them.
  const first = await afterCalls((it) => posting('201', it) === 6 && posting('422', it) === 2);

  expect([transfers('posted', first), transfers('rejected', first)]).toEqual([5, 2]);
  expect(valueIn(first, 'tallyhook_refusals_total', { code: 'insufficient_funds' })).toBe(2);
  expect(coldStarts('ledger/api', first)).toBe(1);

  await cloud.killInstances('ledger/api');
  for (let n = 0; n < 3; n += 1) expect(await transfer('1')).toBe(201);
  const second = await afterCalls((it) => posting('201', it) === 9);

  expect(transfers('posted', second)).toBe(8);
  expect(posting('422', second)).toBe(2);
  expect(coldStarts('ledger/api', second)).toBe(2);
});

it('tell what became of the webhooks, and how old they were', async () => {
  await until(
    () => tenant.accepted().length,
    (count) => count >= 9,
  );
  // A worker as well adds what it has counted when it is called again.
  const found = await until(
    async () => {
      expect(await transfer('1')).toBe(201);
      return metrics();
    },
    (it) => valueIn(it, 'tallyhook_deliveries_total', { status: 'delivered' }) >= 9,
    undefined,
    1_000,
  );
  const [age] = found.get('tallyhook_delivery_age_seconds')?.metrics ?? [];
  const delivered = valueIn(found, 'tallyhook_deliveries_total', { status: 'delivered' });
  expect(Number(age?.count)).toBe(delivered);
  expect(age?.buckets?.['300']).toBe(age?.count);
});

it('have no label but what the house knows', async () => {
  const found = await metrics();
  const valuesOf = (label: string) =>
    [...found.values()].flatMap((it) => it.metrics.flatMap(({ labels }) => labels?.[label] ?? []));
  const routes = new Set(allRoutes.map(({ method, path }) => `${method} ${path}`));
  const entries = new Set(Object.keys(ACCESS));
  expect(valuesOf('route').filter((it) => !routes.has(it))).toEqual([]);
  expect(valuesOf('function').filter((it) => !entries.has(it))).toEqual([]);
  expect(valuesOf('route')).toContain('POST /v1/tenants');
  expect(valuesOf('function')).toContain('webhooks/on-delivery');
});

describe('the ages of queues', () => {
  const ageIn = (found: Metrics, queue: string) =>
    valueIn(found, 'tallyhook_oldest_message_seconds', { queue });
  const parkedAgeIn = (found: Metrics, queue: string) =>
    valueIn(found, 'tallyhook_oldest_dead_letter_seconds', { queue });

  /** What CloudWatch says now: an instance asks it once a minute. */
  async function freshMetrics(): Promise<Metrics> {
    await cloud.killInstances('operations/admin-api');
    return metrics();
  }

  async function send(variable: string, MessageBody: string): Promise<void> {
    const client = new SQSClient({
      endpoint: cloud.endpoints.sqs,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    await client.send(new SendMessageCommand({ QueueUrl: cloud.variable(variable), MessageBody }));
    client.destroy();
  }

  // A worker cannot read it, and it comes back minutes later.
  it('rise while a message is not done, also over a restart', async () => {
    await send('QUEUE_AUDITS', 'no message');
    await send('PARKED_TASKS', 'no message');
    const sentMs = Date.now();

    const areOld = (it: Metrics) => ageIn(it, 'audits') >= 2 && parkedAgeIn(it, 'tasks') >= 1;
    const found = await until(freshMetrics, (it) => isWhole(it) && areOld(it), undefined, 500);

    expect(valueIn(found, 'tallyhook_queue_depth', { queue: 'audits' })).toBe(1);
    expect([ageIn(found, 'sweeps'), parkedAgeIn(found, 'audits')]).toEqual([0, 0]);

    await cloud.stop();
    cloud = await startLocalCloud({ stateDir });
    const stoppedSeconds = Math.floor((Date.now() - sentMs) / 1_000);
    const after = await until(metrics, isWhole);
    expect(ageIn(after, 'audits')).toBeGreaterThanOrEqual(stoppedSeconds);
    expect(parkedAgeIn(after, 'tasks')).toBeGreaterThanOrEqual(stoppedSeconds);
  });
});
