import { paginateScan } from '@aws-sdk/client-dynamodb';
import type { TableRepair } from '../../functions/operations/repair-due.ts';
import { toItem } from '../../functions/shared/aws/items.ts';
import type { StackTable } from '../stack-resources.ts';
import type { Installation } from './installation.ts';

/** Reads whole tables, strongly consistent, page by page: one unit for each 4 KB. */
export async function tableScan(
  at: Pick<Installation, 'dynamodb' | 'tables'>,
  wanted: readonly StackTable[],
): Promise<TableRepair['scan']> {
  const names = await at.tables(wanted);
  return async function* scan(table) {
    const TableName = names[table as StackTable];
    const pages = paginateScan({ client: at.dynamodb }, { TableName, ConsistentRead: true });
    for await (const page of pages) yield (page.Items ?? []).map(toItem);
  };
}
