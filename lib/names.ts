/** The tables, each of one room. `<TABLE>` of the variable `TABLE_<TABLE>` is this name. */
export type TableName =
  | 'control'
  | 'ledger'
  | 'statements'
  | 'outbox'
  | 'endpoints'
  | 'deliveries'
  | 'files'
  | 'tasks'
  | 'inbox'
  | 'meters';

/** The queues on which work waits, besides their dead-letter queues. */
export type QueueName =
  | 'delivery-fast'
  | 'delivery-slow'
  | 'endpoint-care'
  | 'file-events'
  | 'file-blocks'
  | 'file-care'
  | 'hold-expiry'
  | 'audits'
  | 'tasks'
  | 'sweeps'
  | 'inbox';

/** Where what our code cannot handle is parked: beside each queue, and by readers of the stream. */
export type ParkedName = QueueName | keyof typeof STREAM_READERS;

/** Which reader of the stream parks records there. */
export const STREAM_READERS = {
  unrelayed: 'webhooks/on-outbox',
  unprojected: 'ledger/on-posted',
} as const;

/** The secrets that the stack makes. */
export type SecretName = 'admin-key' | 'master-key' | 'cursor-key';

/** The indexes that a table may have, all with the keys `<index>Pk` and `<index>Sk`. */
export type IndexName = 'listing' | 'due' | 'open' | 'reference';

/** What a function may do with a table; `R#*` bounds the keys that it may write. */
export type TableAction =
  | 'GetItem'
  | 'BatchGetItem'
  | 'PutItem'
  | 'PutItem W#*'
  | 'PutItem ten_*'
  | 'UpdateItem'
  | 'UpdateItem R#*'
  | 'DeleteItem'
  | 'DeleteItem ten_*'
  | 'ConditionCheckItem'
  | 'Query'
  | 'Scan due'
  | `Query ${IndexName}`;

/** What a function may do with the objects under a prefix. */
export type BucketAction =
  | 'GetObject'
  | 'GetObjectVersion'
  | 'PutObject'
  | 'ListBucket'
  | 'ListBucketVersions';
