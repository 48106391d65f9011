import { isDeepStrictEqual } from 'node:util';
import { AwsRefusal, callAws } from '../aws-call.ts';
import { LocalFailure } from '../failure.ts';
import { nameOf } from '../resources.ts';
import type { Properties, Resource } from '../template.ts';

interface KeySchema {
  readonly AttributeName: string;
  readonly KeyType: string;
}

interface Index {
  readonly IndexName: string;
  readonly KeySchema: readonly KeySchema[];
  readonly Projection: {
    readonly ProjectionType: string;
    readonly NonKeyAttributes?: readonly string[];
  };
}

interface TableShape {
  readonly KeySchema: readonly KeySchema[];
  readonly GlobalSecondaryIndexes?: readonly Index[];
  readonly StreamSpecification?: { readonly StreamViewType: string };
}

interface TableDescription extends TableShape {
  readonly LatestStreamArn?: string;
}

/**
 * Makes the table, or takes the one that the state holds. Answers the ARN of its stream, if it
 * has one. Refused are a kept table of another shape, which another version made, and one that
 * `wasMade` before and is lost.
 */
export async function ensureTable(
  endpoint: string,
  resource: Resource,
  wasMade: boolean,
): Promise<string | undefined> {
  const name = nameOf(resource);
  const shape = resource.properties as Properties & TableShape;
  const kept = await describeTable(endpoint, name);
  if (!kept && wasMade) {
    throw new LocalFailure(
      `the kept table ${name} is lost: put it back, or let --fresh start anew`,
    );
  }
  if (!kept) await createTable(endpoint, name, shape);
  const table = kept ?? (await describeTable(endpoint, name));
  if (!table || !isDeepStrictEqual(essenceOf(table), essenceOf(shape))) {
    throw new LocalFailure(`the kept table ${name} has another shape: --fresh starts anew`);
  }
  return shape.StreamSpecification ? table.LatestStreamArn : undefined;
}

async function createTable(
  endpoint: string,
  name: string,
  shape: Properties & TableShape,
): Promise<void> {
  await callAws({ endpoint, service: 'dynamodb' }, 'CreateTable', {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: shape.AttributeDefinitions,
    KeySchema: shape.KeySchema,
    ...(shape.GlobalSecondaryIndexes && { GlobalSecondaryIndexes: shape.GlobalSecondaryIndexes }),
    ...(shape.StreamSpecification && {
      StreamSpecification: { StreamEnabled: true, ...shape.StreamSpecification },
    }),
  });
}

async function describeTable(
  endpoint: string,
  name: string,
): Promise<TableDescription | undefined> {
  try {
    const { Table } = await callAws<{ Table: TableDescription }>(
      { endpoint, service: 'dynamodb' },
      'DescribeTable',
      { TableName: name },
    );
    return Table;
  } catch (error) {
    if (error instanceof AwsRefusal && error.code === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

/** What must be equal for the kept items to be usable. */
function essenceOf(table: TableShape): object {
  const indexes = (table.GlobalSecondaryIndexes ?? []).map((index) => [
    index.IndexName,
    keysOf(index.KeySchema),
    index.Projection.ProjectionType,
    [...(index.Projection.NonKeyAttributes ?? [])].sort(),
  ]);
  return {
    keys: keysOf(table.KeySchema),
    indexes: indexes.sort(([a], [b]) => String(a).localeCompare(String(b))),
    stream: table.StreamSpecification?.StreamViewType,
  };
}

const keysOf = (schema: readonly KeySchema[]): string[] =>
  schema.map(({ AttributeName, KeyType }) => `${KeyType} ${AttributeName}`).sort();
