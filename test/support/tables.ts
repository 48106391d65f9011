import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Template } from 'aws-cdk-lib/assertions';
import type { TableName } from '../../functions/shared/world.ts';

/** A table of the stack, as CreateTable takes it, without its name. */
export interface TableSpec {
  readonly table: TableName;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The first one that a logical id holds is its table: that of the statements holds two. */
const TABLES: readonly TableName[] = [
  'control',
  'statements',
  'ledger',
  'outbox',
  'endpoints',
  'deliveries',
  'files',
  'tasks',
  'inbox',
  'meters',
];

const CREATE_TABLE_PROPERTIES = [
  'KeySchema',
  'AttributeDefinitions',
  'BillingMode',
  'GlobalSecondaryIndexes',
];

/** The tables of a synthesised stack. Their logical ids hold the table's name. */
export function tableSpecsOf(template: Template): TableSpec[] {
  const resources = Object.entries(template.findResources('AWS::DynamoDB::Table'));
  return resources.map(([logicalId, resource]) => {
    const table = TABLES.find((it) => logicalId.toLowerCase().includes(`${it}`));
    if (!table) throw new Error(`unknown table ${logicalId}`);
    const properties = Object.fromEntries(
      CREATE_TABLE_PROPERTIES.flatMap((name) =>
        resource.Properties[name] === undefined ? [] : [[name, resource.Properties[name]]],
      ),
    );
    return { table, properties };
  });
}

/** Makes the tables under names with a prefix, and answers their names. */
export async function createTables(
  client: DynamoDBClient,
  specs: readonly TableSpec[],
  prefix: string,
): Promise<Record<TableName, string>> {
  const names = specs.map(({ table }) => [table, `${prefix}-${table}`] as const);
  await Promise.all(
    specs.map(({ table, properties }) => {
      const input = { TableName: `${prefix}-${table}`, ...properties };
      return client.send(
        new CreateTableCommand(input as ConstructorParameters<typeof CreateTableCommand>[0]),
      );
    }),
  );
  return Object.fromEntries(names) as Record<TableName, string>;
}
