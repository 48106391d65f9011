import type { Options } from '../functions/shared/config.ts';
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

/** Also of an object that has been overwritten since. */
const VERSIONS = ['GetObject', 'GetObjectVersion'] as const;

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
    },
    sendsTo: ['delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits', 'tasks'],
    // What stays due, however often it was sent.
    parks: ['delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits', 'tasks'],
  },
  'tenants/api': {
    tables: { control: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query listing'] },
    secrets: ['admin-key', 'cursor-key'],
  },
  'events/api': {
    tables: {
      control: CALLER,
      outbox: ['GetItem', 'BatchGetItem', 'PutItem', 'Query listing'],
      endpoints: ['GetItem', 'Query'],
      deliveries: ['BatchGetItem'],
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'webhooks/api': {
    tables: { control: CALLER, endpoints: ['GetItem', 'PutItem', 'UpdateItem', 'Query'] },
    sendsTo: ['endpoint-care'],
    secrets: ['admin-key', 'cursor-key', 'master-key'],
    options: ['egress', 'apiHosts'],
  },
  'webhooks/delivery-api': {
    tables: {
      control: CALLER,
      outbox: ['GetItem'],
      endpoints: ['GetItem', 'BatchGetItem', 'UpdateItem', 'Query'],
      deliveries: ['GetItem', 'BatchGetItem', 'UpdateItem', 'Query', 'Query open'],
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
    },
    sendsTo: ['endpoint-care'],
    secrets: ['admin-key', 'cursor-key'],
  },
  'webhooks/test-api': {
    tables: { control: CALLER, endpoints: ['GetItem', 'UpdateItem'] },
    secrets: ['admin-key', 'master-key'],
    options: ['egress', 'apiHosts'],
  },
  'webhooks/on-outbox': {
    tables: {
      outbox: ['UpdateItem'],
      endpoints: ['GetItem', 'UpdateItem', 'Query'],
      deliveries: ['UpdateItem'],
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
    },
    sendsTo: ['delivery-fast', 'delivery-slow'],
    options: ['reconcileAfterSeconds', 'recheckAfterSeconds'],
  },
  'webhooks/on-delivery': {
    tables: {
      outbox: ['GetItem', 'PutItem'],
      endpoints: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'ConditionCheckItem'],
      deliveries: ['GetItem', 'PutItem', 'UpdateItem'],
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
    },
    secrets: ['admin-key'],
  },
  'ledger/read-api': {
    tables: {
      control: CALLER,
      ledger: ['GetItem', 'BatchGetItem', 'Query', 'Query listing', 'Query reference'],
      statements: ['BatchGetItem', 'Query'],
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'ledger/on-hold': {
    tables: { ledger: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem'], outbox: ['PutItem'] },
    consumes: ['hold-expiry'],
    sendsTo: ['hold-expiry'],
  },
  'ledger/on-posted': {
    tables: { statements: ['PutItem', 'UpdateItem'] },
    streamOf: 'outbox',
    sendsTo: ['hold-expiry'],
  },
  'files/api': {
    tables: {
      control: CALLER,
      outbox: ['PutItem'],
      endpoints: ['GetItem'],
      deliveries: ['BatchGetItem'],
      files: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query', 'Query listing'],
    },
    sendsTo: ['file-events', 'file-care'],
    bucket: {
      '': ['ListBucket'],
      'incoming/': ['PutObject'],
      'work/': ['GetObject'],
      'results/': ['GetObject', 'PutObject'],
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'files/on-upload': {
    tables: {
      control: ['GetItem'],
      outbox: ['PutItem'],
      endpoints: ['GetItem'],
      files: ['GetItem', 'PutItem', 'UpdateItem'],
    },
    consumes: ['file-events'],
    sendsTo: ['file-blocks'],
    bucket: {
      '': ['ListBucket'],
      'incoming/': VERSIONS,
      'drop/': VERSIONS,
      'work/': ['PutObject'],
    },
  },
  'files/on-block': {
    tables: {
      outbox: ['PutItem'],
      endpoints: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem'],
      deliveries: ['BatchGetItem', 'UpdateItem'],
      files: ['GetItem', 'UpdateItem'],
    },
    consumes: ['file-blocks'],
    sendsTo: ['file-blocks', 'file-care', 'delivery-slow', 'endpoint-care'],
    bucket: { '': ['ListBucket'], 'work/': ['GetObject'], 'results/': ['PutObject'] },
    secrets: ['master-key'],
    options: ['egress', 'apiHosts'],
  },
  'files/on-care': {
    tables: {
      outbox: ['PutItem'],
      endpoints: ['GetItem', 'UpdateItem'],
      deliveries: ['GetItem', 'BatchGetItem', 'UpdateItem'],
      files: ['GetItem', 'UpdateItem', 'Query'],
    },
    consumes: ['file-care'],
    sendsTo: ['file-blocks', 'file-events', 'file-care', 'delivery-slow'],
    bucket: {
      '': ['ListBucket'],
      'incoming/': VERSIONS,
      'drop/': ['GetObject'],
      'work/': ['GetObject'],
      'results/': ['PutObject'],
    },
  },
  'tasks/api': {
    tables: {
      control: CALLER,
      tasks: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query listing'],
    },
    sendsTo: ['tasks'],
    secrets: ['admin-key', 'cursor-key'],
  },
  // Beside the functions of the ledger the only one that moves money.
  'tasks/on-due': {
    tables: {
      tasks: ['GetItem', 'UpdateItem'],
      ledger: ['BatchGetItem', 'PutItem', 'UpdateItem', 'ConditionCheckItem'],
      outbox: ['PutItem'],
    },
    consumes: ['tasks'],
    sendsTo: ['tasks'],
  },
  'files/on-hour': {
    tables: { files: ['BatchGetItem'] },
    sendsTo: ['file-events'],
    bucket: { '': ['ListBucket'], 'drop/': ['GetObject'] },
  },
  'audit/api': {
    tables: { control: [...CALLER, 'BatchGetItem', 'PutItem ten_*', 'Query listing'] },
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
    },
    consumes: ['audits'],
    sendsTo: ['audits'],
  },
  'operations/admin-api': {
    tables: { control: CALLER },
    cares: [
      ...(['delivery-fast', 'delivery-slow', 'endpoint-care', 'hold-expiry', 'audits'] as const),
      ...(['file-events', 'file-blocks', 'file-care', 'tasks'] as const),
      ...(['unrelayed', 'unprojected'] as const),
    ],
    secrets: ['admin-key'],
  },
  // These two answer without asking anybody who calls.
  'docs/api': {},
  'operations/api': {},
} as const satisfies Readonly<Record<string, Access>>;

/** A Lambda, by the path of its entry under `functions/`, without `.ts`. */
export type Entry = keyof typeof ACCESS;
