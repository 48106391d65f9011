import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  paginateScan,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TableName } from '../../functions/shared/world.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type ApiClient, newAccount } from '../support/api.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { checkStatements } from '../support/invariants/statements.ts';
import { newStateDir } from '../support/state-dir.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

/** The others are copied between these. */
const OTHERS: readonly TableName[] = [
  ...(['statements', 'tasks', 'deliveries', 'endpoints', 'files', 'inbox', 'control'] as const),
];

const CLIENTS = 4;
/** So many of them are posted before the first copy, and as many before the next. */
const POSTED = 60;

let stateDir: string;
let cloud: LocalCloud;
let tenant: TenantWithReceiver;
let client: DynamoDBClient;
let posted = 0;
let isOpen = true;
beforeAll(async () => {
  stateDir = await newStateDir('restore');
  cloud = await startLocalCloud({ stateDir });
  tenant = await tenantWithReceiver(cloud);
  client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
});
afterAll(async () => {
  isOpen = false;
  await tenant?.receiver.close();
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** Moves money in all ways until the bank closes. */
async function work(api: ApiClient, accounts: readonly string[], first: number): Promise<void> {
  for (let n = first; isOpen; n += 1) {
    const sourceAccountId = accounts[n % accounts.length];
    const destinationAccountId = accounts[(n + 1) % accounts.length];
    const money = { amount: '3', currency: 'EUR' };
    const move = { type: 'transfer', sourceAccountId, destinationAccountId, ...money };
    const moved = await api.post<{ id: string }>('/v1/transactions', move);
    if (moved.status === 201) posted += 1;
    if (n % 3 === 0) await api.post(`/v1/transactions/${moved.body.id}/reversals`, {});
    const hold = { accountId: sourceAccountId, destinationAccountId, ...money };
    const held = await api.post<{ id: string }>('/v1/holds', hold);
    const end = n % 2 === 0 ? 'capture' : 'void';
    await api.post(`/v1/holds/${held.body.id}/${end}`, end === 'capture' ? {} : undefined);
  }
}

type Names = Partial<Record<TableName, string>>;

/** Copies one table after the other while others write: each is of another time. */
async function copyTables(
  order: readonly TableName[],
  { number, accounts }: { readonly number: number; readonly accounts: readonly string[] },
): Promise<Names> {
  const names: Names = {};
  for (const table of order) {
    names[table] = `Tallyhook-r${number}-${table}`;
    await copyTable(cloud.table(table), names[table] ?? '');
    if (table === order[0]) await postMore(accounts);
  }
  return names;
}

interface Entry {
  readonly accountId: string;
  readonly seq?: number;
}

/** Something that only the later copies have: with its event, and its line on a statement. */
async function postMore([accountId]: readonly string[]): Promise<void> {
  const { api } = tenant;
  const credit = { type: 'credit', accountId, amount: '1', currency: 'EUR' };
  const { body } = await until(
    () => api.post<{ entries: readonly Entry[] }>('/v1/transactions', credit),
    (it) => it.status === 201,
  );
  const { seq = Infinity } = body.entries.find((it) => it.accountId === accountId) ?? {};
  await until(
    () => api.get<{ upToSeq: number }>(`/v1/accounts/${accountId}/entries`),
    (it) => it.body.upToSeq >= seq,
  );
}

async function copyTable(source: string, TableName: string): Promise<void> {
  const { Table } = await client.send(new DescribeTableCommand({ TableName: source }));
  await client.send(
    new CreateTableCommand({
      TableName,
      KeySchema: Table?.KeySchema,
      AttributeDefinitions: Table?.AttributeDefinitions,
      BillingMode: 'PAY_PER_REQUEST',
      ...(Table?.GlobalSecondaryIndexes && {
        GlobalSecondaryIndexes: Table.GlobalSecondaryIndexes.map((it) => ({
          IndexName: it.IndexName,
          KeySchema: it.KeySchema,
          Projection: it.Projection,
        })),
      }),
    }),
  );
  for await (const page of paginateScan({ client }, { TableName: source, Limit: 25 })) {
    const puts = (page.Items ?? []).map((Item) => ({ PutRequest: { Item } }));
    if (puts.length === 0) continue;
    await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: puts } }));
  }
}

async function repair({ outbox = '' }: Names, ...flags: readonly string[]) {
  const env = { ...process.env, AWS_ENDPOINT_URL_DYNAMODB: cloud.endpoints.dynamodb };
  const prefix = outbox.replace(/-outbox$/, '');
  const args = ['bin/ops.ts', 'audit', '--repair', '--restored', prefix, ...flags];
  const startMs = Date.now();
  const ended = await promisify(execFile)('node', args, { env }).catch((error) => error);
  const { code = 0, stdout, stderr } = ended as { code?: number; stdout: string; stderr: string };
  expect(code, stderr).toBeLessThan(2);
  return { code, stdout, seconds: (Date.now() - startMs) / 1_000 };
}

it('is repaired from the journal, or says by name what is lost', async () => {
  const { api } = tenant;
  const accounts = await Promise.all(
    Array.from({ length: 2 * CLIENTS }, () => newAccount(api, '100000')),
  );
  const working = Array.from({ length: CLIENTS }, (_, n) => work(api, accounts, 2 * n));
  const after = (count: number) =>
    until(
      () => posted,
      (it) => it >= count,
    );
  await after(POSTED);
  const events = await copyTables(['outbox', ...OTHERS, 'ledger'], { number: 1, accounts });
  await after(posted + POSTED);
  const ledger = await copyTables(['ledger', ...OTHERS, 'outbox'], { number: 2, accounts });
  isOpen = false;
  await Promise.all(working);

  for (const names of [events, ledger]) {
    const isWhole = names === events;
    const dry = await repair(names, '--dry-run');
    const done = await repair(names);
    const again = await repair(names);
    const { code, stdout, seconds } = done;
    const all = await takeSnapshot(client, names as Record<TableName, string>);
    const records = all.ledger.filter(({ id }) => /^(txn|hld|rel)_/.test(String(id))).length;
    const lines = stdout.split('\n');
    const figures = lines.filter((it) => !/^lost: (acc|txn|hld|rel|evt)_/.test(it)).join('\n');
    process.stdout.write(`${records} records in ${seconds.toFixed(1)} s\n${figures}\n`);

    expect(dry.stdout).toMatch(/^would be put right:\n/m);
    expect(stdout).toMatch(/^put right:\n/m);
    expect(stdout).toContain(isWhole ? 'missing event' : 'line of nothing');
    expect(again.stdout).toMatch(/^put right: nothing\n/m);
    const unexplained = [...checkLedger(all), ...checkStatements(all)].filter((violation) => {
      const ids = violation.match(/\b(acc|txn|hld|rel|evt)_\w+/g) ?? [];
      return !ids.some((id) => stdout.includes(id));
    });
    expect(unexplained).toEqual([]);
    expect(code).toBe(/^lost: nothing$/m.test(stdout) ? 0 : 1);
  }
});
