import { isDeepStrictEqual } from 'node:util';
import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { toItem } from '../../../functions/shared/aws/items.ts';
import type { Item, TableName } from '../../../functions/shared/world.ts';
import { until } from '../until.ts';

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

/**
 * The tables as they were in one moment, although a hold may expire or a task fire while they are
 * read: they are read until two readings agree. `select` leaves out what others write.
 */
export async function takeSnapshot(
  client: DynamoDBClient,
  tables: Readonly<Record<TableName, string>>,
  select: (all: Snapshot) => Snapshot = (all) => all,
  limitMs?: number,
): Promise<Snapshot> {
  const read = async () => select(await readTables(client, tables));
  const readTwice = async () => {
    const [before, after] = [await read(), await read()];
    return isDeepStrictEqual(before, after) ? after : undefined;
  };
  const snapshot = await until(readTwice, (it) => it !== undefined, limitMs);
  return snapshot as Snapshot;
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
  const tenantIds = tenantId === undefined ? [] : [tenantId];
  for await (const page of scanPages(client, TableName, ...tenantIds)) items.push(...page);
  return items;
}

/** The same for tables that no memory holds: a megabyte at a time, of any of these tenants. */
export async function* scanPages(
  client: DynamoDBClient,
  TableName: string,
  ...tenantIds: readonly string[]
): AsyncGenerator<Item[]> {
  const isOf = (_: string, n: number) => `contains(pk, :tenant${n}) OR contains(sk, :tenant${n})`;
  const ofTenants = tenantIds.length > 0 && {
    FilterExpression: tenantIds.map(isOf).join(' OR '),
    ExpressionAttributeValues: Object.fromEntries(
      tenantIds.map((it, n) => [`:tenant${n}`, { S: it }]),
    ),
  };
  const pages = paginateScan({ client }, { TableName, ConsistentRead: true, ...ofTenants });
  for await (const page of pages) yield (page.Items ?? []).map(toItem);
}
