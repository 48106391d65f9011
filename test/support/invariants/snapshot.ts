import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { toItem } from '../../../functions/shared/aws/items.ts';
import type { Item, TableName } from '../../../functions/shared/world.ts';

/** Everything in the tables that the invariants speak of. */
export interface Snapshot {
  readonly ledger: readonly Item[];
  readonly statements: readonly Item[];
  readonly outbox: readonly Item[];
  readonly endpoints: readonly Item[];
  readonly deliveries: readonly Item[];
  readonly files: readonly Item[];
}

/** Reads the tables whole. Nothing may be writing while it does. */
export async function takeSnapshot(
  client: DynamoDBClient,
  tables: Readonly<Record<TableName, string>>,
): Promise<Snapshot> {
  const scan = (table: TableName) => scanTable(client, tables[table]);
  const [ledger, statements, outbox, endpoints, deliveries, files] = await Promise.all([
    scan('ledger'),
    scan('statements'),
    scan('outbox'),
    scan('endpoints'),
    scan('deliveries'),
    scan('files'),
  ]);
  return { ledger, statements, outbox, endpoints, deliveries, files };
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
