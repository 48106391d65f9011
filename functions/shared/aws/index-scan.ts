import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { IndexScan, TableName } from '../world.ts';
import { answered, PATIENCE } from './answered.ts';
import { toAttributes, toItem } from './items.ts';

/** The World's scan on DynamoDB, apart from `openDb`: hardly any function may scan. */
export function openIndexScan(
  tables: Readonly<Partial<Record<TableName, string>>>,
  client = new DynamoDBClient(PATIENCE),
): IndexScan {
  return {
    scan: ({ table, index }, after) =>
      answered('database', async () => {
        const { Items = [], LastEvaluatedKey } = await client.send(
          new ScanCommand({
            TableName: tables[table],
            IndexName: index,
            ExclusiveStartKey: after && toAttributes(after),
          }),
        );
        const items = Items.map(toItem);
        return LastEvaluatedKey ? { items, next: toItem(LastEvaluatedKey) } : { items };
      }),
  };
}
