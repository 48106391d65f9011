import type { Options } from '../functions/shared/config.ts';
import { FILES_ACCESS } from './files-access.ts';
import { INBOX_ACCESS } from './inbox-access.ts';
import type {
  BucketAction,
  ParkedName,
  QueueName,
  SecretName,
  TableAction,
  TableName,
} from './names.ts';

/** What one function may touch. It is granted this, told the names of this, and nothing else. */
export interface Access {
  /**
   * `Query` reads the table itself, and `Query due` only the index `due`. `UpdateItem R#*` writes
   * only items whose partition key begins with `R#`. In `control` only `tenants/api` writes
   * without such a prefix: who can write the item where a key is found can be any tenant.
   */
  readonly tables?: Readonly<Partial<Record<TableName, readonly TableAction[]>>>;
  readonly consumes?: readonly QueueName[];
  /** Reads the stream of this table, and parks the records that it cannot handle. */
  readonly streamOf?: 'outbox';
  readonly sendsTo?: readonly QueueName[];
  /** Puts what it gives up among the dead letters of these. */
  readonly parks?: readonly QueueName[];
  /** Looks at what is parked there, deletes it, and moves it back to its queue if it has one. */
  readonly cares?: readonly ParkedName[];
  /**
   * Asks CloudWatch for the age of the oldest message of queues, which SQS tells to nobody else.
   * CloudWatch knows no narrower right than to read all metrics of the account: there are no
   * messages, names of tenants or amounts in metrics.
   */
  readonly readsMetrics?: true;
  /**
   * Actions by the prefix of the objects; the empty prefix is the bucket itself. Readers may list
   * it, because S3 answers 404 for a missing object only to them, and 403 to others.
   */
  readonly bucket?: Readonly<Record<string, readonly BucketAction[]>>;
  readonly secrets?: readonly SecretName[];
  /** Options that its code is told: `egress` and `apiHosts` where it talks to tenants' hosts. */
  readonly options?: readonly (keyof Options)[];
}

/** What every API needs of its caller: the key and its tenant, and tokens of the rate limit. */
const CALLER = ['GetItem', 'UpdateItem R#*'] as const;

/** What an instance has counted goes there, once in ten seconds. */
const COUNTS = ['UpdateItem'] as const;

/**
 * Who may do what: one row per Lambda, by its entry under `functions/`. The stack grants from
 * this table and sets the environments from it, and a test holds it against the template.
 */
export const ACCESS = {
  'timers/on-minute': {
    tables: {
      control: ['GetItem', 'PutItem W#*', 'Query due'],
      ledger: ['Query due'],
      deliveries: ['Query due'],
      endpoints: ['Query due'],
      files: ['Query due'],
      tasks: ['Query due'],
      inbox: ['Query due'],
      meters: COUNTS,
    },
    sendsTo: [
      ...(['delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits'] as const),
      ...(['tasks', 'inbox', 'sweeps'] as const),
    ],
    // What stays due, however often it was sent.
    parks: [
      ...(['delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits'] as const),
      ...(['tasks', 'inbox'] as const),
    ],
  },
  // The rest of a shard that is more than a tick sends.
  'timers/on-sweep': {
    tables: {
      control: ['Query due'],
      ledger: ['Query due'],
      deliveries: ['Query due'],
      endpoints: ['Query due'],
      files: ['Query due'],
      tasks: ['Query due'],
      inbox: ['Query due'],
      meters: COUNTS,
    },
    consumes: ['sweeps'],
    sendsTo: [
      ...(['delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits'] as const),
      ...(['tasks', 'inbox', 'sweeps'] as const),
    ],
  },
  'tenants/api': {
    tables: {
      control: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query listing'],
      meters: COUNTS,
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'events/api': {
    tables: {
      control: CALLER,
      outbox: ['GetItem', 'BatchGetItem', 'PutItem', 'Query listing'],
      endpoints: ['GetItem', 'Query'],
      deliveries: ['BatchGetItem'],
      meters: COUNTS,
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'webhooks/api': {
    tables: {
      control: CALLER,
      endpoints: ['GetItem', 'PutItem', 'UpdateItem', 'Query'],
      meters: COUNTS,
    },
    secrets: ['admin-key', 'cursor-key', 'master-key'],
    options: ['egress', 'apiHosts'],
  },
  'webhooks/change-api': {
    tables: { control: CALLER, endpoints: ['GetItem', 'PutItem', 'UpdateItem'], meters: COUNTS },
    sendsTo: ['endpoint-care'],
    secrets: ['admin-key', 'master-key'],
    options: ['egress', 'apiHosts'],
  },
  'webhooks/delivery-api': {
    tables: {
      control: CALLER,
      outbox: ['GetItem'],
      endpoints: ['GetItem', 'BatchGetItem', 'UpdateItem', 'Query'],
      deliveries: ['GetItem', 'BatchGetItem', 'UpdateItem', 'Query', 'Query open'],
      meters: COUNTS,
    },
    sendsTo: ['delivery-slow'],
    secrets: ['admin-key', 'cursor-key'],
  },
  'webhooks/replay-api': {
    tables: {
      control: CALLER,
      outbox: ['BatchGetItem', 'Query listing'],
      endpoints: ['GetItem', 'PutItem', 'Query'],
      deliveries: ['BatchGetItem', 'Query', 'Query open'],
      meters: COUNTS,
    },
    sendsTo: ['endpoint-care'],
    secrets: ['admin-key', 'cursor-key'],
  },
  'webhooks/test-api': {
    tables: { control: CALLER, endpoints: ['GetItem', 'UpdateItem'], meters: COUNTS },
    secrets: ['admin-key', 'master-key'],
    options: ['egress', 'apiHosts'],
  },
  'webhooks/on-outbox': {
    tables: {
      outbox: ['BatchGetItem', 'UpdateItem'],
      endpoints: ['GetItem', 'UpdateItem', 'Query'],
      deliveries: ['UpdateItem'],
      meters: COUNTS,
    },
    streamOf: 'outbox',
    sendsTo: ['delivery-fast', 'delivery-slow'],
  },
  'webhooks/on-reconcile': {
    tables: {
      control: ['GetItem', 'PutItem W#*'],
      outbox: ['Query', 'UpdateItem'],
      endpoints: ['GetItem', 'UpdateItem', 'Query'],
      deliveries: ['BatchGetItem', 'UpdateItem'],
      meters: COUNTS,
    },
    sendsTo: ['delivery-fast', 'delivery-slow'],
    options: ['reconcileAfterSeconds', 'recheckAfterSeconds'],
  },
  'webhooks/on-delivery': {
    tables: {
      outbox: ['GetItem', 'PutItem'],
      endpoints: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'ConditionCheckItem'],
      deliveries: ['GetItem', 'PutItem', 'UpdateItem'],
      meters: COUNTS,
    },
    consumes: ['delivery-fast', 'delivery-slow'],
    sendsTo: ['delivery-slow', 'endpoint-care', 'file-care'],
    bucket: { '': ['ListBucket'], 'work/': ['GetObject'] },
    secrets: ['master-key'],
    options: ['egress', 'apiHosts'],
  },
  // Each of its steps ends with a look at the endpoint, and what it tells of goes to the outbox.
  'webhooks/on-care': {
    tables: {
      outbox: ['BatchGetItem', 'PutItem', 'UpdateItem', 'Query listing'],
      endpoints: [
        'GetItem',
        'BatchGetItem',
        'PutItem',
        'UpdateItem',
        'DeleteItem',
        'ConditionCheckItem',
        'Query',
      ],
      deliveries: ['BatchGetItem', 'UpdateItem', 'Query', 'Query open'],
      meters: COUNTS,
    },
    consumes: ['endpoint-care'],
    sendsTo: ['delivery-slow', 'endpoint-care', 'file-care'],
  },
  'ledger/api': {
    tables: {
      control: CALLER,
      ledger: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'ConditionCheckItem', 'Query'],
      // The balance of a derived account that is changed, or whose creation is repeated.
      statements: ['BatchGetItem'],
      outbox: ['PutItem'],
      meters: COUNTS,
    },
    secrets: ['admin-key'],
  },
  'ledger/read-api': {
    tables: {
      control: CALLER,
      ledger: ['GetItem', 'BatchGetItem', 'Query', 'Query listing', 'Query reference'],
      statements: ['BatchGetItem', 'Query'],
      meters: COUNTS,
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'ledger/on-hold': {
    tables: {
      ledger: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem'],
      outbox: ['PutItem'],
      meters: COUNTS,
    },
    consumes: ['hold-expiry'],
    sendsTo: ['hold-expiry'],
  },
  'ledger/on-posted': {
    tables: { statements: ['PutItem', 'UpdateItem'], meters: COUNTS },
    streamOf: 'outbox',
    sendsTo: ['hold-expiry'],
  },
  ...FILES_ACCESS,
  'tasks/api': {
    tables: {
      control: CALLER,
      tasks: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query listing'],
      meters: COUNTS,
    },
    sendsTo: ['tasks'],
    secrets: ['admin-key', 'cursor-key'],
  },
  // Beside the functions of the ledger the only one that moves money.
  'tasks/on-due': {
    tables: {
      tasks: ['GetItem', 'BatchGetItem', 'UpdateItem'],
      ledger: ['BatchGetItem', 'PutItem', 'UpdateItem', 'ConditionCheckItem'],
      outbox: ['PutItem'],
      meters: COUNTS,
    },
    consumes: ['tasks'],
    sendsTo: ['tasks'],
  },
  ...INBOX_ACCESS,
  'audit/api': {
    tables: {
      control: [...CALLER, 'BatchGetItem', 'PutItem ten_*', 'Query listing'],
      meters: COUNTS,
    },
    sendsTo: ['audits'],
    secrets: ['admin-key', 'cursor-key'],
  },
  // It reads all of the ledger, and writes nothing but what it has found.
  'audit/on-audit': {
    tables: {
      control: ['GetItem', 'PutItem ten_*', 'DeleteItem ten_*'],
      ledger: ['GetItem', 'BatchGetItem', 'Query listing'],
      statements: ['BatchGetItem', 'Query'],
      outbox: ['BatchGetItem', 'Query listing'],
      meters: COUNTS,
    },
    consumes: ['audits'],
    sendsTo: ['audits'],
  },
  'operations/admin-api': {
    tables: { control: CALLER, endpoints: ['Scan due'], meters: ['Query', 'UpdateItem'] },
    cares: [
      ...(['delivery-fast', 'delivery-slow', 'endpoint-care', 'hold-expiry', 'audits'] as const),
      ...(['file-events', 'file-blocks', 'file-care', 'tasks', 'inbox'] as const),
      ...(['sweeps', 'unrelayed', 'unprojected'] as const),
    ],
    readsMetrics: true,
    secrets: ['admin-key'],
  },
  // These two answer without asking anybody who calls.
  'docs/api': {},
  'operations/api': {},
} as const satisfies Readonly<Record<string, Access>>;

/** A Lambda, by the path of its entry under `functions/`, without `.ts`. */
export type Entry = keyof typeof ACCESS;
