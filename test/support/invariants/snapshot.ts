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
  const scan = async (table: TableName) => {
    const items: Item[] = [];
    const pages = paginateScan({ client }, { TableName: tables[table], ConsistentRead: true });
    for await (const page of pages) items.push(...(page.Items ?? []).map(toItem));
    return items;
  };
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
