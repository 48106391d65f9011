import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  type TableDescription,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb';
import { insertAccount } from '../functions/ledger/account.store.ts';
import { type Account, openAccount } from '../functions/ledger/account.ts';
import { postTransaction } from '../functions/ledger/post-transaction.ts';
import { openDb } from '../functions/shared/aws/db.ts';
import { lean } from '../functions/shared/aws/lean.ts';
import { openMeters } from '../functions/shared/meters.ts';
import { jsonLog, systemClock, systemIds } from '../functions/shared/system.ts';
import type { Db } from '../functions/shared/world.ts';
import { startDynamo } from '../local/engines/dynamodb.ts';
import { openLog } from '../local/log.ts';
import { openState } from '../local/state.ts';
import type { BenchCloud } from './bench-cloud.ts';

export interface RawTransfers {
  /** One transfer of a client between its own two accounts. */
  transfer(client: number): Promise<void>;
  stop(): Promise<void>;
}

/** What the product sent for one transfer. */
interface Recording {
  readonly read: BatchGetItemCommandInput;
  readonly write: TransactWriteItemsCommandInput;
}

/**
 * The two calls of a transfer, and nothing else, on an engine of its own with the same tables:
 * nobody checks a key, decides, or relays. They are what the product sends, because its own
 * transfer between the accounts of each client is recorded once and repeated with other keys.
 */
export async function openRawTransfers(
  { cloud, folder }: BenchCloud,
  clients: number,
): Promise<RawTransfers> {
  const state = openState(join(folder, 'raw'), true);
  const log = openLog(state.dir, true);
  const engine = await startDynamo({ state, log, wantedPort: 0 });
  const raw = localDynamo(engine.endpoint);
  const tables = { ledger: cloud.table('ledger'), outbox: cloud.table('outbox') };
  const product = localDynamo(cloud.endpoints.dynamodb);
  for (const name of Object.values(tables)) await copyTable(name, product, raw);

  const recorder = record(engine.endpoint);
  const db = openDb({ tables, client: recorder.client });
  const recordings: Recording[] = [];
  for (let client = 0; client < clients; client += 1) {
    await transferByProduct(db);
    recordings.push(recorder.last());
  }
  return {
    async transfer(client) {
      const recording = recordings[client];
      if (!recording) throw new Error(`client ${client} has no accounts`);
      await repeat(raw, recording);
    },
    async stop() {
      await engine.stop();
      log.close();
      state.release();
    },
  };
}

/** A client of an engine on this machine, which asks for no real credentials. */
export function localDynamo(endpoint: string): DynamoDBClient {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  // With what makes the adapter's client faster: a floor is as low as it can be.
  return lean(new DynamoDBClient({ endpoint, region: 'us-east-1', credentials }));
}

async function copyTable(name: string, from: DynamoDBClient, to: DynamoDBClient): Promise<void> {
  const { Table } = await from.send(new DescribeTableCommand({ TableName: name }));
  if (!Table) throw new Error(`there is no table ${name}`);
  const { AttributeDefinitions, KeySchema, StreamSpecification } = Table;
  await to.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions,
      KeySchema,
      StreamSpecification,
      GlobalSecondaryIndexes: indexesOf(Table),
    }),
  );
}

function indexesOf({ GlobalSecondaryIndexes }: TableDescription) {
  return GlobalSecondaryIndexes?.map(({ IndexName, KeySchema, Projection }) => ({
    IndexName,
    KeySchema,
    Projection,
  }));
}

/** A client that remembers the last read and the last transaction that went through it. */
function record(endpoint: string) {
  const client = localDynamo(endpoint);
  let read: BatchGetItemCommandInput | undefined;
  let write: TransactWriteItemsCommandInput | undefined;
  client.middlewareStack.add(
    (next) => (args) => {
      if ('RequestItems' in args.input) read = args.input as BatchGetItemCommandInput;
      if ('TransactItems' in args.input) write = args.input as TransactWriteItemsCommandInput;
      return next(args);
    },
    { step: 'initialize' },
  );
  return {
    client,
    last(): Recording {
      if (!read || !write) throw new Error('the product has not made a transfer');
      return { read, write };
    },
  };
}

async function transferByProduct(db: Db): Promise<void> {
  const tenantId = 'ten_BENCHMARK';
  const [source, destination] = [accountOf(tenantId), accountOf(tenantId)];
  for (const account of [source, destination]) await db.commit(insertAccount(account, {}));
  await postTransaction(
    { clock: systemClock, ids: systemIds, log: jsonLog, db, meters: openMeters('bench', () => {}) },
    {
      id: systemIds.next('txn'),
      tenantId,
      type: 'transfer',
      postings: [
        { sourceId: source.id, destinationId: destination.id, amount: 1n, currency: 'EUR' },
      ],
      fingerprint: 'x'.repeat(64),
    },
  );
}

function accountOf(tenantId: string): Account {
  const limits = { mode: 'limited', minBalance: 0n, maxBalance: null } as const;
  const terms = { id: systemIds.next('acc'), tenantId, currency: 'EUR', ...limits };
  return { ...openAccount(terms, systemClock.nowMs()), credits: 10n ** 12n };
}

/** Reads the two accounts, and writes the transaction again: on their `seq`, under new keys. */
async function repeat(client: DynamoDBClient, { read, write }: Recording): Promise<void> {
  const { Responses } = await client.send(new BatchGetItemCommand(read));
  const found = Object.values(Responses ?? {}).flat();
  const seqOf = (pk: string | undefined) => found.find((it) => it.pk?.S === pk)?.seq;
  const token = randomUUID();

  function withNewKeys(item: TransactWriteItem): TransactWriteItem {
    const { Put, Update } = item;
    if (Put?.Item?.sk?.S === '#') {
      return { Put: { ...Put, Item: { ...Put.Item, pk: { S: `${Put.Item.pk?.S}${token}` } } } };
    }
    if (Put)
      return { Put: { ...Put, Item: { ...Put.Item, sk: { S: `${Put.Item?.sk?.S}${token}` } } } };
    const seq = seqOf(Update?.Key?.pk?.S);
    if (!Update || !seq) throw new Error('the recorded transaction has an unexpected shape');
    const values = { ...Update.ExpressionAttributeValues, ':seq': seq };
    return { Update: { ...Update, ExpressionAttributeValues: values } };
  }
  const TransactItems = write.TransactItems?.map(withNewKeys);
  const ClientRequestToken = token;
  await client.send(new TransactWriteItemsCommand({ ...write, TransactItems, ClientRequestToken }));
}
