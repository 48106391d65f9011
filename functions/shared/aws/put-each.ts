import { BatchWriteItemCommand, type WriteRequest } from '@aws-sdk/client-dynamodb';
import type { Item, Key, TableName } from '../world.ts';
import type { Connection } from './db.ts';
import { toAttributes } from './items.ts';

/** Quota of BatchWriteItem. */
const ITEMS_MAX = 25;

/** Stores each item by itself, whatever was there. Resolves to how many were not stored. */
export async function putEach(
  at: Connection,
  table: TableName,
  items: readonly (Key & Item)[],
): Promise<number> {
  // One call may not name a key twice: the last one stands.
  const unique = [...new Map(items.map((it) => [`${it.pk} ${it.sk}`, it])).values()];
  let left = 0;
  for (let start = 0; start < unique.length; start += ITEMS_MAX) {
    left += await putBatch(at, table, unique.slice(start, start + ITEMS_MAX));
  }
  return left;
}

async function putBatch(
  at: Connection,
  table: TableName,
  items: readonly (Key & Item)[],
): Promise<number> {
  const name = at.tableName(table);
  const requests: WriteRequest[] = items.map((it) => ({ PutRequest: { Item: toAttributes(it) } }));
  const reply = await at.client.send(
    new BatchWriteItemCommand({
      RequestItems: { [name]: requests },
      ReturnConsumedCapacity: 'INDEXES',
    }),
  );
  at.spent('putEach', reply.ConsumedCapacity ?? []);
  return reply.UnprocessedItems?.[name]?.length ?? 0;
}
