import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startDynamo } from '../../local/engines/dynamodb.ts';
import type { Engine } from '../../local/engines/engine.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type LocalLog, openLog } from '../../local/log.ts';
import { openState } from '../../local/state.ts';
import { apiClient, newAccount } from '../support/api.ts';
import { parseMetrics, valueIn } from '../support/prometheus.ts';
import { newStateDir } from '../support/state-dir.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { startThrottlingProxy, type ThrottlingProxy } from '../support/throttling-proxy.ts';
import { until } from '../support/until.ts';

/**
 * A game day: one fault after the other, each with the signal that shows it, and the repair as
 * docs/runbook.md writes it. The faults of tables come from a proxy before their engine.
 */
const LOCAL = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
};
const MINUTE_MS = 60_000;

let engineDir: string;
let stateDir: string;
let engine: Engine;
let engineLog: LocalLog;
let proxy: ThrottlingProxy;
let cloud: LocalCloud;
/** Its receiver is always there. */
let well: TenantWithReceiver;
/** That of this one is down at first. */
let ill: TenantWithReceiver;
let isDown = true;
beforeAll(async () => {
  // As in the journey of the crash, so that the stack is synthesised once for both.
  vi.stubEnv('TALLYHOOK_RECONCILE_AFTER_SECONDS', '5');
  vi.stubEnv('TALLYHOOK_RECHECK_AFTER_SECONDS', '40');
  engineDir = await newStateDir('game-day-engine');
  stateDir = await newStateDir('game-day');
  const state = openState(engineDir, false);
  engineLog = openLog(engineDir, true);
  engine = await startDynamo({ state, log: engineLog, wantedPort: 0 });
  proxy = await startThrottlingProxy(engine.endpoint);
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', proxy.url);
  // An instance that is ended keeps what it counted last to itself: none is to make room.
  cloud = await startLocalCloud({ stateDir, instancesMax: 100 });
  const retry = { maxAttempts: 1, schedule: [0.5] };
  well = await tenantWithReceiver(cloud, { eventTypes: ['order.*'] });
  const decide = () => (isDown ? { status: 500 } : undefined);
  ill = await tenantWithReceiver(cloud, { eventTypes: ['order.*'], retry }, { decide });
});
afterAll(async () => {
  await ill?.receiver.close();
  await well?.receiver.close();
  await cloud?.stop();
  await proxy?.close();
  await engine?.stop();
  await engineLog?.close();
  vi.unstubAllEnvs();
  for (const dir of [stateDir, engineDir]) rmSync(dir, { recursive: true, force: true });
});

/** `npm run ops -- …`, as the runbook writes it. */
async function ops(...args: readonly string[]): Promise<{ code: number; stdout: string }> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    TALLYHOOK_API: cloud.apiUrl,
    AWS_ENDPOINT_URL_DYNAMODB: cloud.endpoints.dynamodb,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: cloud.endpoints.secrets,
  };
  try {
    const { stdout } = await promisify(execFile)('node', ['bin/ops.ts', ...args], { env });
    return { code: 0, stdout };
  } catch (error) {
    return error as { code: number; stdout: string };
  }
}

async function metrics() {
  const headers = { authorization: `Bearer ${cloud.adminKey}` };
  return parseMetrics(await (await fetch(`${cloud.apiUrl}/metrics`, { headers })).text());
}

/** Until the doctor says so: what has just been done may be on record a moment later. */
const doctor = (isSo: (said: { code: number; stdout: string }) => boolean) =>
  until(() => ops('doctor'), isSo);
const needsNobody = () => doctor(({ stdout }) => stdout.includes('Nobody is needed.'));

const ready = () => apiClient(cloud.apiUrl, 'none').get<{ checks: object[] }>('/ready');

/** How often the log has told of what an alarm looks at. */
function told(signal: string): number {
  const lines = readFileSync(cloud.logFile, 'utf8').split('\n');
  return lines.filter((it) => it.includes(`"Metrics":[{"Name":"${signal}"`)).length;
}

const signals = async (signal: string) =>
  valueIn(await metrics(), 'tallyhook_signals_total', { signal });

async function sendOrder({ api }: TenantWithReceiver, n: number): Promise<string> {
  const { status, body } = await api.post<{ id: string }>('/v1/events', {
    type: 'order.paid',
    data: { n },
  });
  expect(status).toBe(202);
  return body.id;
}

/** Until the receiver has accepted the events, each of them once. */
const accepts = (tenant: TenantWithReceiver, ...events: readonly string[]) =>
  until(
    () => tenant.accepted().map(({ id }) => String(id)),
    (ids) => events.every((it) => ids.filter((id) => id === it).length === 1),
  );

const tick = (entry: string) => cloud.invoke(entry, {});
const tables = () => new DynamoDBClient({ ...LOCAL, endpoint: engine.endpoint });

const startedAt = new Date().toISOString();
const first: string[] = [];

describe('a receiver is down', () => {
  it('is a matter of its tenant: the deliveries say it, and nobody is needed', async () => {
    for (let n = 0; n < 10; n += 1) first.push(await sendOrder(ill, n));
    const exhausted = '/v1/deliveries?status=exhausted';
    const { body } = await until(
      () => ill.api.get<{ data: { endpointId: string }[] }>(exhausted),
      (it) => it.body.data.length === first.length,
    );
    expect(body.data[0]?.endpointId).toBe(ill.endpointId);
    await needsNobody();
  });
});

describe('dead letters', () => {
  async function park(queue: string, MessageBody: string): Promise<void> {
    const QueueUrl = cloud.variable(`PARKED_${queue.toUpperCase()}`);
    const client = new SQSClient({ ...LOCAL, endpoint: cloud.endpoints.sqs });
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  }
  const parked = async (queue: string) =>
    valueIn(await metrics(), 'tallyhook_dead_letters', { queue });
  const both = () => Promise.all(['audits', 'tasks'].map(parked));

  it('are in /metrics and in doctor, are sent again, and dropped with a reason', async () => {
    const nothing = { v: 1, pk: well.tenantId, sk: 'AUD#aud_0', step: 0 };
    await park('audits', JSON.stringify(nothing));
    await park('tasks', 'no message');
    await until(both, (it) => it.join() === '1,1');
    const { code, stdout } = await ops('doctor');
    expect(code).toBe(1);
    expect(stdout).toContain('"A dead-letter queue is not empty"');
    expect(stdout).toContain('npm run ops -- redrive audits');

    expect((await ops('redrive', 'audits', '--rate', '50')).stdout).toContain('1 sent again');
    interface Listed {
      readonly data: { readonly queue: string; readonly messages: { readonly id: string }[] }[];
    }
    const admin = apiClient(cloud.apiUrl, cloud.adminKey);
    const { body } = await admin.get<Listed>('/v1/admin/dead-letters?queue=tasks');
    const id = body.data[0]?.messages[0]?.id ?? '';
    const dropped = await ops('drop', 'tasks', id, '--reason', 'it is no message');
    expect(dropped).toMatchObject({ code: 0, stdout: expect.stringContaining('is deleted') });

    await until(both, (it) => it.join() === '0,0');
    await needsNobody();
  });
});

describe('the relay is stopped', () => {
  it('rings OldestUnrelayedMs; the reconciler relays, and the stream goes on later', async () => {
    const before = told('OldestUnrelayedMs');
    proxy.throttle(({ operation }) => operation === 'GetRecords');
    const event = await sendOrder(well, 1);
    await until(
      () => tick('webhooks/on-reconcile'),
      () => told('OldestUnrelayedMs') > before,
      undefined,
      1_000,
    );
    await accepts(well, event);
    // An instance adds what it has counted when it is called again: there may be several.
    let n = 10;
    await until(
      async () => {
        await sendOrder(well, n++);
        await tick('webhooks/on-reconcile');
        return signals('OldestUnrelayedMs');
      },
      (it) => it > 0,
      undefined,
      1_000,
    );

    proxy.throttle();
    const next = await sendOrder(well, 2);
    await accepts(well, event, next);
    await doctor(({ stdout }) => /^ok {2}unrelayed events +none/m.test(stdout));
  });
});

describe('the sweeper is stopped', () => {
  /** Where the sweeper would have stopped eleven minutes ago. */
  async function setBack(table: string): Promise<void> {
    const minute = Math.floor(Date.now() / MINUTE_MS) - 11;
    await tables().send(
      new UpdateItemCommand({
        TableName: cloud.table('control'),
        Key: { pk: { S: `W#${table}` }, sk: { S: '#' } },
        UpdateExpression: 'SET seen = :seen, through = :through',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeValues: {
          ':seen': { N: String(minute * MINUTE_MS) },
          ':through': { N: String(minute) },
        },
      }),
    );
  }

  it('degrades /ready and calls for a person; a tick that works makes all good', async () => {
    expect(await tick('timers/on-minute')).toMatchObject({ ok: true });
    const isMark = (text: string) => /"W#(?!outbox)/.test(text);
    proxy.throttle(({ operation, text }) => operation === 'PutItem' && isMark(text));
    await setBack('deliveries');

    expect(await tick('timers/on-minute')).toMatchObject({ ok: false });
    const late = { name: 'sweeper', status: 'late', since: expect.stringMatching(/^20/) };
    const { status } = await until(ready, ({ body }) => body.checks.some((it) => 'since' in it));
    expect(status).toBe(503);
    expect((await ready()).body.checks).toContainEqual(late);
    const age = async () => valueIn(await metrics(), 'tallyhook_sweeper_age_seconds');
    await until(age, (it) => it > 600);
    const { code, stdout } = await ops('doctor');
    expect(code).toBe(1);
    expect(stdout).toContain('- "The sweeper does not tick".');

    const before = told('SweeperTicks');
    proxy.throttle();
    expect(await tick('timers/on-minute')).toMatchObject({ ok: true });
    await until(ready, (it) => it.status === 200);
    await until(
      () => told('SweeperTicks'),
      (it) => it > before,
    );
    await needsNobody();
  });
});

describe('a table is throttled', () => {
  it('answers 503 and counts ApiFaults; a repetition has one effect', async () => {
    const accountId = await newAccount(well.api);
    const [ledger, meters] = [cloud.table('ledger'), cloud.table('meters')];
    const isWrite = (operation: string) => /^(Update|TransactWrite)/.test(operation);
    proxy.throttle(
      ({ operation, text }) =>
        isWrite(operation) && (text.includes(`"${ledger}"`) || text.includes(`"${meters}"`)),
    );
    const key = { 'idempotency-key': randomUUID() };
    const order = { type: 'credit', accountId, amount: '5', currency: 'EUR' };
    const post = () => well.api.post('/v1/transactions', order, key);
    const before = told('ApiFaults');
    expect(await post()).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(await post()).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    await until(
      () => told('ApiFaults') - before,
      (it) => it === 2,
    );

    proxy.throttle();
    expect((await post()).status).toBe(201);
    expect(await post()).toMatchObject({ status: 201 });
    const account = await well.api.get(`/v1/accounts/${accountId}`);
    expect(account.body).toMatchObject({ balance: '5' });
    // Nothing is lost of what was counted while the meters were throttled.
    const refused = { route: 'POST /v1/transactions', status: '503' };
    await until(
      async () => {
        await post();
        return valueIn(await metrics(), 'tallyhook_http_requests_total', refused);
      },
      (it) => it === 2,
      undefined,
      500,
    );
  });
});

describe('a receiver that was down for half a minute', () => {
  it('has an open breaker in /metrics; one that is sent again closes it', async () => {
    const open = async () => valueIn(await metrics(), 'tallyhook_open_endpoints');
    let n = 100;
    await until(
      async () => {
        await sendOrder(ill, n++);
        return open();
      },
      (it) => it === 1,
      undefined,
      1_000,
    );
    const held = await sendOrder(ill, n++);
    await until(
      () => ill.api.get<{ data: { eventId: string }[] }>('/v1/deliveries?status=held'),
      ({ body }) => body.data.some((it) => it.eventId === held),
    );
    await needsNobody();

    isDown = false;
    const [event = ''] = first;
    const again = await ops('resend', event, '--tenant', ill.tenantId);
    expect(again.stdout).toContain('sent again');
    await accepts(ill, event, held);
    await until(open, (it) => it === 0);
    const range = ['--endpoint', ill.endpointId, '--from', startedAt];
    const rest = await ops('resend', ...range, '--tenant', ill.tenantId);
    expect(rest.stdout).toContain('sent again');
    await accepts(ill, ...first);
  });
});

describe('the state on the disk is truncated', () => {
  it('is refused in a line that names the file; put back, all goes on', async () => {
    await cloud.stop();
    const file = join(stateDir, 'sqs.db');
    copyFileSync(file, `${file}.kept`);
    for (const bytes of [0, 1_000]) {
      truncateSync(file, bytes);
      await expect(startLocalCloud({ stateDir })).rejects.toThrow(/sqs\.db .*--fresh/);
    }

    copyFileSync(`${file}.kept`, file);
    cloud = await startLocalCloud({ stateDir });
    const api = apiClient(cloud.apiUrl, well.key);
    await accepts(well, await sendOrder({ ...well, api }, 3));
    await needsNobody();
  });
});
