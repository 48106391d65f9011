/** The tables, each of one room. `<TABLE>` of the variable `TABLE_<TABLE>` is this name. */
export type TableName = 'control' | 'ledger' | 'outbox' | 'endpoints' | 'deliveries' | 'files';

/** The queues on which work waits, besides their dead-letter queues. */
export type QueueName =
  | 'delivery-fast'
  | 'delivery-slow'
  | 'file-events'
  | 'file-blocks'
  | 'file-care';

/** The secrets that the stack makes. */
export type SecretName = 'admin-key' | 'master-key' | 'cursor-key';

/** The indexes that a table may have, all with the keys `<index>Pk` and `<index>Sk`. */
export type IndexName = 'listing' | 'due' | 'open' | 'reference';

type TableAction =
  | 'GetItem'
  | 'BatchGetItem'
  | 'PutItem'
  | 'UpdateItem'
  | 'DeleteItem'
  | 'ConditionCheckItem'
  | 'Query'
  | `Query ${IndexName}`;

type BucketAction = 'GetObject' | 'GetObjectVersion' | 'PutObject' | 'ListBucket';

/** What one function may touch. It is granted this, told the names of this, and nothing else. */
export interface Access {
  /** `Query` reads the table itself, and `Query due` only the index `due`. */
  readonly tables?: Readonly<Partial<Record<TableName, readonly TableAction[]>>>;
  readonly consumes?: readonly QueueName[];
  /** Reads the stream of this table, and parks the records that it cannot handle. */
  readonly streamOf?: 'outbox';
  readonly sendsTo?: readonly QueueName[];
  /** Actions by the prefix of the objects; the empty prefix is the bucket itself. */
  readonly bucket?: Readonly<Record<string, readonly BucketAction[]>>;
  readonly secrets?: readonly SecretName[];
  /** Talks to addresses that tenants chose, by the rules of the option `egress`. */
  readonly egress?: true;
}

/** What every API needs to know its caller: the key, the rate-limit lease and the admin's key. */
const CALLER = ['GetItem', 'UpdateItem'] as const;

/**
 * Who may do what: one row per Lambda, by its entry under `functions/`. The stack grants from
 * this table and sets the environments from it, and a test holds it against the template.
 */
export const ACCESS = {
  'timers/on-minute': {
    tables: {
      control: ['GetItem', 'PutItem', 'UpdateItem'],
      endpoints: ['Query due'],
      deliveries: ['Query due'],
      files: ['Query due'],
    },
    sendsTo: ['delivery-slow', 'file-care'],
  },
  'tenants/api': {
    tables: { control: [...CALLER, 'BatchGetItem', 'PutItem', 'Query', 'Query listing'] },
    secrets: ['admin-key', 'cursor-key'],
  },
  'events/api': {
    tables: {
      control: CALLER,
      outbox: ['GetItem', 'BatchGetItem', 'PutItem', 'Query listing'],
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'webhooks/api': {
    tables: {
      control: CALLER,
      outbox: ['GetItem', 'PutItem'],
      endpoints: ['GetItem', 'PutItem', 'UpdateItem', 'Query'],
      deliveries: ['GetItem', 'BatchGetItem', 'UpdateItem', 'Query', 'Query open'],
    },
    sendsTo: ['delivery-slow'],
    secrets: ['admin-key', 'cursor-key', 'master-key'],
    egress: true,
  },
  'webhooks/on-outbox': {
    tables: { outbox: ['GetItem', 'UpdateItem'], endpoints: ['GetItem', 'Query'] },
    streamOf: 'outbox',
    sendsTo: ['delivery-fast', 'delivery-slow'],
  },
  'webhooks/on-reconcile': {
    tables: {
      control: ['GetItem', 'PutItem', 'UpdateItem'],
      outbox: ['Query', 'UpdateItem'],
      endpoints: ['GetItem', 'Query'],
      deliveries: ['GetItem', 'BatchGetItem'],
    },
    sendsTo: ['delivery-fast', 'delivery-slow'],
  },
  'webhooks/on-delivery': {
    tables: {
      outbox: ['GetItem', 'PutItem', 'Query listing'],
      endpoints: ['GetItem', 'UpdateItem'],
      deliveries: ['GetItem', 'PutItem', 'UpdateItem'],
    },
    consumes: ['delivery-fast', 'delivery-slow'],
    sendsTo: ['delivery-slow'],
    secrets: ['master-key'],
    egress: true,
  },
  'ledger/api': {
    tables: {
      control: CALLER,
      ledger: [
        'GetItem',
        'BatchGetItem',
        'PutItem',
        'UpdateItem',
        'Query',
        'Query listing',
        'Query reference',
      ],
      outbox: ['PutItem'],
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'files/api': {
    tables: {
      control: CALLER,
      endpoints: ['GetItem'],
      files: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query', 'Query listing'],
    },
    bucket: { 'incoming/': ['PutObject'] },
    secrets: ['admin-key', 'cursor-key'],
  },
  'files/on-upload': {
    tables: {
      outbox: ['PutItem'],
      endpoints: ['GetItem'],
      files: ['GetItem', 'PutItem', 'UpdateItem'],
    },
    consumes: ['file-events'],
    sendsTo: ['file-blocks'],
    bucket: {
      '': ['ListBucket'],
      'incoming/': ['GetObject', 'GetObjectVersion'],
      'work/': ['PutObject'],
    },
  },
  'files/on-block': {
    tables: {
      outbox: ['PutItem'],
      endpoints: ['GetItem', 'UpdateItem'],
      deliveries: ['GetItem', 'PutItem', 'UpdateItem'],
      files: ['GetItem', 'UpdateItem'],
    },
    consumes: ['file-blocks'],
    sendsTo: ['file-blocks', 'delivery-slow'],
    bucket: {
      '': ['ListBucket'],
      'work/': ['GetObject', 'GetObjectVersion'],
      'results/': ['PutObject'],
    },
    secrets: ['master-key'],
    egress: true,
  },
  'files/on-care': {
    tables: {
      outbox: ['PutItem'],
      deliveries: ['GetItem'],
      files: ['GetItem', 'UpdateItem', 'Query'],
    },
    consumes: ['file-care'],
    sendsTo: ['file-blocks', 'file-events'],
    bucket: { '': ['ListBucket'], 'incoming/': ['GetObject', 'GetObjectVersion'] },
  },
  'operations/api': { tables: { control: CALLER }, secrets: ['admin-key'] },
} as const satisfies Readonly<Record<string, Access>>;

/** A Lambda, by the path of its entry under `functions/`, without `.ts`. */
export type Entry = keyof typeof ACCESS;
