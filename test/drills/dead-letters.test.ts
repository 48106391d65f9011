import { rm } from 'node:fs/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TableName } from '../../functions/shared/world.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type ApiClient, apiClient, newAccount } from '../support/api.ts';
import { inTime } from '../support/in-time.ts';
import { checkDeliveries } from '../support/invariants/deliveries.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { SNAPSHOT_TABLES, type Snapshot, takeSnapshot } from '../support/invariants/snapshot.ts';
import { type MessageLog, openMessageLog } from '../support/message-log.ts';
import { newStateDir } from '../support/state-dir.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { settledFile, uploadFile } from '../support/upload.ts';

const EVENTS = 20;
const USERS = 40;
interface Listed {
  readonly data: readonly { queue: string; depth: number; redrivable: boolean }[];
}

interface Moved {
  readonly data: readonly { readonly redrive?: { readonly status: string } }[];
}

let stateDir: string;
let cloud: LocalCloud;
let log: MessageLog;
let tenant: TenantWithReceiver;
let admin: ApiClient;
beforeAll(async () => {
  stateDir = await newStateDir('dead-letters');
  cloud = await startLocalCloud({ stateDir });
  log = openMessageLog(stateDir);
  admin = apiClient(cloud.apiUrl, cloud.adminKey);
  const endpoint = {
    eventTypes: ['order.*', 'hold.*'],
    retry: { maxAttempts: 5, schedule: [0.5] },
    rateLimit: { perSecond: 200 },
  };
  // Every fifth fails at first, and is sent again.
  const decide = ({ nth }: { nth: number }) => (nth % 5 === 1 ? { status: 500 } : undefined);
  tenant = await tenantWithReceiver(cloud, endpoint, { decide });
});
afterAll(async () => {
  await tenant?.receiver.close();
  log?.close();
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** Something for every queue to do: webhooks, a file, a hold that expires, and an audit. */
async function doEverything(): Promise<void> {
  const { api, endpointId } = tenant;
  for (let n = 0; n < EVENTS; n += 1) {
    await api.post('/v1/events', { type: 'order.paid', data: { n } });
  }
  const users = Array.from({ length: USERS }, (_, n) => `u${n}`);
  const file = await uploadFile(api, { content: ['user_id', ...users].join('\n'), endpointId });
  const accountId = await newAccount(api, '100');
  const money = { accountId, amount: '5', currency: 'EUR', destinationAccountId: '@world' };
  const hold = await inTime(2_000, async (ms) => {
    const expiresAt = new Date(Date.now() + ms).toISOString();
    const { status, body } = await api.post('/v1/holds', { ...money, expiresAt });
    return status === 201 ? body : undefined;
  });
  const { body: audit } = await api.post('/v1/audit');
  expect(await settledFile(api, file.id)).toMatchObject({ delivered: USERS });
  const reads = [`/v1/holds/${hold.id}`, `/v1/audit/${audit.id}`];
  await until(
    async () => (await Promise.all(reads.map((it) => api.get(it)))).map((it) => it.body.status),
    (it) => it.join() === 'expired,clean',
  );
  // order.paid, hold.created and hold.expired, and the users of the file.
  await until(
    () => tenant.receiver.accepted(),
    (it) => it === EVENTS + 2 + USERS,
  );
}

async function rest(): Promise<Snapshot> {
  await until(log.open, (it) => it === 0);
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const names = Object.fromEntries(SNAPSHOT_TABLES.map((it) => [it, cloud.table(it)]));
  return takeSnapshot(client, names as Record<TableName, string>);
}

const violationsOf = (all: Snapshot) => [
  ...checkLedger(all),
  ...checkDeliveries(all),
  ...checkFiles(all),
];

it('moves back whatever was handled in any queue, and nothing happens', async () => {
  await doEverything();
  const before = await rest();
  const wire = tenant.receiver.received.length;
  log.parkAll();
  const busy = log.counts().size;
  const { body: parked } = await admin.get<Listed>('/v1/admin/dead-letters');
  const full = parked.data.filter(({ depth }) => depth > 0);

  for (const { queue } of full) {
    const { status, body } = await admin.post('/v1/admin/dead-letters/redrive', { queue });
    expect([status, body.redrive], queue).toMatchObject([202, { status: expect.any(String) }]);
    await until(
      () => admin.get<Moved>(`/v1/admin/dead-letters?queue=${queue}`),
      (it) => it.body.data[0]?.redrive?.status === 'completed',
    );
  }
  const after = await rest();

  expect(full.length).toBe(busy);
  expect(full.map(({ queue }) => queue)).toEqual(
    expect.arrayContaining([
      ...['delivery-fast', 'delivery-slow', 'file-events', 'file-blocks', 'file-care'],
      ...['hold-expiry', 'audits'],
    ]),
  );
  expect(tenant.receiver.received.length - wire).toBe(0);
  expect(violationsOf(after)).toEqual([]);
  expect(after.deliveries).toEqual(before.deliveries);
  expect(after.files).toEqual(before.files);
  expect(after.ledger).toEqual(before.ledger);
  expect(after.outbox.length).toBe(before.outbox.length);
});
