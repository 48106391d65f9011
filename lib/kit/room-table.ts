import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  type Attribute,
  AttributeType,
  BillingMode,
  ProjectionType,
  StreamViewType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';
import { checkRestoredPrefix } from '../../functions/shared/config.ts';
import type { IndexName, TableName } from '../names.ts';
import type { Settings } from './settings.ts';

export interface RoomTableProps {
  readonly settings: Settings;
  /** The indexes, each with the attributes that it holds beside the keys. */
  readonly indexes: Readonly<Partial<Record<IndexName, readonly string[]>>>;
  /** Items end at the time in `ttl`, in seconds since 1970. */
  readonly expires?: boolean;
  /** Each new image goes to a stream. */
  readonly streams?: boolean;
}

/** What others have to know of a table, made by the stack or not. */
export interface AnyTable {
  readonly tableArn: string;
  readonly tableName: string;
  readonly tableStreamArn?: string | undefined;
}

const text = (name: string): Attribute => ({ name, type: AttributeType.STRING });

/** A table of one room: on demand, encrypted, restorable to any second of the last 35 days. */
export class RoomTable extends Table {
  constructor(scope: Construct, id: string, props: RoomTableProps) {
    const isProd = props.settings.options.stage === 'prod';
    super(scope, id, {
      partitionKey: text('pk'),
      sortKey: text('sk'),
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.AWS_MANAGED,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: isProd,
      removalPolicy: isProd ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      ...(props.expires && { timeToLiveAttribute: 'ttl' }),
      ...(props.streams && { stream: StreamViewType.NEW_IMAGE }),
    });
    for (const [index, attributes] of Object.entries(props.indexes)) {
      this.addGlobalSecondaryIndex({
        indexName: index,
        partitionKey: text(`${index}Pk`),
        sortKey: text(`${index}Sk`),
        ...(attributes.length > 0
          ? { projectionType: ProjectionType.INCLUDE, nonKeyAttributes: [...attributes] }
          : { projectionType: ProjectionType.KEYS_ONLY }),
      });
    }
  }
}

/**
 * A table of a room that holds what cannot be made again: its own, or, with the option
 * `restoreFrom`, the one that was restored for it as `<prefix>-<name>`. That one stays outside of
 * the stack, with the stream, the expiry and the protection that the runbook gives it. Throws
 * where it was restored for another stack.
 */
export function roomTable(
  scope: Construct,
  id: string,
  { name, ...props }: RoomTableProps & { readonly name: TableName },
): AnyTable {
  const { restoreFrom } = props.settings.options;
  if (restoreFrom === '') return new RoomTable(scope, id, props);
  const [prefix = '', streamLabel] = restoreFrom.split('@');
  checkRestoredPrefix(Stack.of(scope).stackName, prefix);
  const tableName = `${prefix}-${name}`;
  const resourceName = `${tableName}/stream/${streamLabel}`;
  return Table.fromTableAttributes(scope, id, {
    tableName,
    ...(props.streams && {
      tableStreamArn: Stack.of(scope).formatArn({
        ...{ service: 'dynamodb', resource: 'table', resourceName },
      }),
    }),
  });
}
