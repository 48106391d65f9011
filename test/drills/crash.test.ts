import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Item, TableName } from '../../functions/shared/world.ts';
import type { Handled } from '../../local/receiver/server.ts';
import { type ApiClient, apiClient, newAccount } from '../support/api.ts';
import { checkDeliveries } from '../support/invariants/deliveries.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { SNAPSHOT_TABLES, takeSnapshot } from '../support/invariants/snapshot.ts';
import { checkStatements } from '../support/invariants/statements.ts';
import { type Product, startProduct } from '../support/product.ts';
import { newStateDir } from '../support/state-dir.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { settledFile, uploadFile } from '../support/upload.ts';

/** More blocks of a thousand than are under way at once: at the kill some are not begun. */
const USERS = 10_000;
const TRANSFERS = 200;
/**
 * Blocks of an endpoint without a limit that are under way at once, and users in flight of each.
 */
const REPEATS_MAX = 8 * 25;
/** The reconciler waits minutes in production, so that it does not get in the way of the relay. */
const IMPATIENT = {
  TALLYHOOK_RECONCILE_AFTER_SECONDS: '5',
  TALLYHOOK_RECHECK_AFTER_SECONDS: '40',
};

let stateDir: string;
let product: Product;
let tenant: TenantWithReceiver;
beforeAll(async () => {
  stateDir = await newStateDir('crash');
  product = await startProduct(stateDir, IMPATIENT);
  tenant = await tenantWithReceiver(product);
});
afterAll(async () => {
  await tenant?.receiver.close();
  await product?.killAll();
  await rm(stateDir, { recursive: true, force: true });
});

it('loses nobody and no money when everything is killed in mid-file and mid-transfer', async () => {
  const { receiver, endpointId } = tenant;
  const [a, b] = await Promise.all([newAccount(tenant.api, '100000'), newAccount(tenant.api)]);
  const keys = Array.from({ length: TRANSFERS }, () => randomUUID());
  const users = Array.from({ length: USERS }, (_, n) => `user-${n}`);
  const content = ['user_id', ...users].join('\n');
  const { id: fileId } = await uploadFile(tenant.api, { content, endpointId });
  await until(
    () => alertIds(tenant).size,
    (it) => it > 1_000,
  );
  const answered: number[] = [];
  const transfers = postAll(tenant.api, keys, { between: [a, b], answered });
  await until(
    () => answered.length,
    (it) => it > TRANSFERS / 4,
  );

  await product.killAll();
  expect(alertIds(tenant).size).toBeLessThan(USERS);
  const interrupted = await transfers;
  product = await startProduct(stateDir, IMPATIENT);
  const api = apiClient(product.apiUrl, tenant.key);
  // The client repeats what it has no answer for, with the same keys.
  await until(
    async () => postAll(api, keys, { between: [a, b], answered: [] }),
    (answers) => answers.every((it) => it === 201),
  );
  const file = await settledFile(api, fileId);

  expect(interrupted).toContain(0);
  expect(file).toMatchObject({ status: 'completed', alerts: USERS, delivered: USERS });
  expect((await api.get(`/v1/accounts/${b}`)).body.balance).toBe(String(TRANSFERS));
  expect(alertIds(tenant).size).toBe(USERS);
  expect(receiver.received.every((it) => it.verdict === 'valid')).toBe(true);
});

it('heals until every invariant holds', async () => {
  const client = new DynamoDBClient({
    endpoint: product.dynamodbUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const tables = await tablesOf(client);

  const violations = await until(
    async () => {
      // What never rests while it is read is not healed yet.
      const snapshot = await takeSnapshot(client, tables).catch(String);
      if (typeof snapshot === 'string') return [snapshot];
      return [
        ...checkLedger(snapshot),
        ...checkStatements(snapshot),
        ...checkFiles(snapshot),
        ...checkDeliveries(snapshot),
      ];
    },
    (it) => it.length === 0,
  );

  expect(violations).toEqual([]);
  const { deliveries } = await takeSnapshot(client, tables);
  const unknown = deliveries.flatMap((it) => (it.attempts ?? []) as Item[]).filter(isUnknown);
  const repeats = tenant.receiver.received.filter((it) => it.duplicate && isAlert(it));
  expect(repeats.length).toBeLessThanOrEqual(REPEATS_MAX + unknown.length);
  expect(repeats.every((it) => it.headers['webhook-possible-duplicate'] === '1')).toBe(true);
  const posted = tenant.accepted().filter((it) => it.type === 'transaction.posted');
  // The credit that filled the first account is one of them.
  expect(new Set(posted.map((it) => it.id)).size).toBe(TRANSFERS + 1);
});

/** An attempt that the receiver may have seen without anybody knowing. */
function isUnknown({ outcome }: Item): boolean {
  return outcome === 'unknown';
}

function alertIds({ receiver }: TenantWithReceiver): Set<string> {
  return new Set(receiver.received.filter(isAlert).map((it) => it.id));
}

/** Without parsing: it is asked often, of many. */
function isAlert({ body }: Handled): boolean {
  return body.includes('"type":"alert"');
}

interface Transfers {
  readonly between: readonly [string, string];
  readonly answered: number[];
}

/** Eight at a time; the statuses, 0 for no answer. `answered` grows by each answer. */
async function postAll(
  api: ApiClient,
  keys: readonly string[],
  { between: [a, b], answered }: Transfers,
): Promise<number[]> {
  const transfer = {
    type: 'transfer',
    sourceAccountId: a,
    destinationAccountId: b,
    amount: '1',
    currency: 'EUR',
  };
  const left = keys.map((key, index) => ({ key, index }));
  const statuses = keys.map(() => 0);
  const client = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const answer = await api
        .post('/v1/transactions', transfer, { 'idempotency-key': next.key })
        .catch(() => undefined);
      statuses[next.index] = answer?.status ?? 0;
      if (answer) answered.push(answer.status);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  return statuses;
}

/** The physical names end in the table's logical id. */
async function tablesOf(client: DynamoDBClient): Promise<Record<TableName, string>> {
  const { TableNames = [] } = await client.send(new ListTablesCommand({}));
  const entries = SNAPSHOT_TABLES.map((name) => [
    name,
    TableNames.find((it) => new RegExp(`${name}[0-9a-f]{8}$`, 'i').test(it)) ?? '',
  ]);
  return Object.fromEntries(entries) as Record<TableName, string>;
}
