import { isDeepStrictEqual } from 'node:util';
import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { toItem } from '../../../functions/shared/aws/items.ts';
import type { Item, TableName } from '../../../functions/shared/world.ts';

/** The tables that the invariants speak of. */
export const SNAPSHOT_TABLES = [
  'ledger',
  'statements',
  'outbox',
  'endpoints',
  'deliveries',
  'files',
  'tasks',
  'inbox',
] as const satisfies readonly TableName[];

/** Everything in them. */
export type Snapshot = Readonly<Record<(typeof SNAPSHOT_TABLES)[number], readonly Item[]>>;

/** A cloud that never rests this often has something in it that no test should leave there. */
const READINGS_MAX = 60;

/**
 * The tables as they were in one moment, although a hold may expire or a task fire while they are
 * read: they are read until two readings agree. `select` leaves out what others write.
 */
export async function takeSnapshot(
  client: DynamoDBClient,
  tables: Readonly<Record<TableName, string>>,
  select: (all: Snapshot) => Snapshot = (all) => all,
): Promise<Snapshot> {
  let before = select(await readTables(client, tables));
  for (let reading = 2; reading <= READINGS_MAX; reading++) {
    const snapshot = select(await readTables(client, tables));
    if (isDeepStrictEqual(snapshot, before)) return snapshot;
    before = snapshot;
  }
  throw new Error(`The tables changed during each of ${READINGS_MAX} readings.`);
}

async function readTables(
  client: DynamoDBClient,
  tables: Readonly<Record<TableName, string>>,
): Promise<Snapshot> {
  const items = await Promise.all(SNAPSHOT_TABLES.map((it) => scanTable(client, tables[it])));
  const byTable: Partial<Snapshot> = Object.fromEntries(
    SNAPSHOT_TABLES.map((it, n) => [it, items[n] ?? []]),
  );
  return byTable as Snapshot;
}

/** All items of a table, or those whose keys name this tenant. */
export async function scanTable(
  client: DynamoDBClient,
  TableName: string,
  tenantId?: string,
): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of scanPages(client, TableName, tenantId)) items.push(...page);
  return items;
}

/** The same for tables that no memory holds: a megabyte at a time. */
export async function* scanPages(
  client: DynamoDBClient,
  TableName: string,
  tenantId?: string,
): AsyncGenerator<Item[]> {
  const ofTenant = tenantId && {
    FilterExpression: 'contains(pk, :tenant) OR contains(sk, :tenant)',
    ExpressionAttributeValues: { ':tenant': { S: tenantId } },
  };
  const pages = paginateScan({ client }, { TableName, ConsistentRead: true, ...ofTenant });
  for await (const page of pages) yield (page.Items ?? []).map(toItem);
}
