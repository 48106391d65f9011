import type { Bucket } from './bucket.ts';
import type { SignalName } from './meter-catalogue.ts';
import type { Meters } from './meters.ts';

/**
 * The doors through which a use case reaches anything outside itself. A use case names those
 * that it needs, `Pick<World, 'clock' | 'db'>`, and gets no others.
 */
export interface World {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly meters: Meters;
  readonly db: Db;
  readonly queues: Queues;
  /** What is put directly among the dead letters of a queue. */
  readonly deadLetterQueues: Queues;
  readonly deadLetters: DeadLetters;
  readonly bucket: Bucket;
  readonly http: GuardedSender;
  readonly secrets: Secrets;
}

export interface Clock {
  /** Milliseconds since 1970, UTC. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

export type IdPrefix =
  | 'ten'
  | 'key'
  | 'acc'
  | 'txn'
  | 'hld'
  | 'evt'
  | 'end'
  | 'rpl'
  | 'fil'
  | 'tsk'
  | 'src'
  | 'rcp'
  | 'aud'
  | 'req';

export interface Ids {
  /** A new id in time order: prefix, `_`, and a ULID. */
  next<Prefix extends IdPrefix>(prefix: Prefix): `${Prefix}_${string}`;
  /** Uniform in [0, 1): jitter and shards, never secrets. */
  random(): number;
  /** Bytes that nobody can guess: keys and secrets. */
  secretBytes(length: number): Uint8Array;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** One JSON line per call. Fields never hold bodies, keys or secrets. */
export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** What alarms look at, told at once. Everything else is counted by `Meters`. */
export interface Metrics {
  count(name: SignalName, value?: number): void;
}

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

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/**
 * A stored item in plain values: string, boolean, Uint8Array, list, map, and numbers, which come
 * back as `number` where that is exact and as `bigint` otherwise.
 */
export type Item = Readonly<Record<string, unknown>>;

interface Conditional {
  readonly table: TableName;
  /** A DynamoDB condition expression. The write is refused where it does not hold. */
  readonly condition?: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values?: Item;
}

/** One item of a commit. Made by a store, carried out by `db.commit` and nothing else. */
export type Write = Conditional &
  (
    | { readonly kind: 'put'; readonly item: Key & Item }
    | {
        readonly kind: 'update';
        readonly key: Key;
        readonly update: string;
        /** A commit of this alone answers the item as it is then. */
        readonly answersItem?: true;
      }
    | { readonly kind: 'remove'; readonly key: Key }
    | { readonly kind: 'check'; readonly key: Key; readonly condition: string }
  );

/**
 * Why one write of a refused commit failed. `condition` carries the item as it was found;
 * `conflict` means that another transaction held it; `throttled` that capacity was short.
 */
export interface Reason {
  readonly code: 'none' | 'condition' | 'conflict' | 'throttled' | 'other';
  readonly item?: Item;
}

/**
 * `item` is the item as it is now, after a commit of one update that asked for it. `reasons` has
 * one entry per write, in the order of the commit.
 */
export type Commit =
  | { readonly ok: true; readonly item?: Item }
  | { readonly ok: false; readonly reasons: readonly Reason[] };

export interface Query {
  readonly table: TableName;
  /** Reads the table itself, strongly consistent, when absent; else the index, eventually. */
  readonly index?: 'listing' | 'due' | 'open' | 'reference';
  readonly pk: string;
  /** Bounds of the sort key, both inclusive. */
  readonly sk?: { readonly prefix: string } | { readonly from: string; readonly to: string };
  readonly newestFirst?: boolean;
  readonly limit?: number;
  /** Where the page before ended: the `next` of its answer. */
  readonly after?: Item;
}

export interface Page {
  readonly items: readonly Item[];
  readonly next?: Item;
}

/**
 * Reads by key are strongly consistent. Every method throws `Problem('unavailable')` on an outage.
 */
export interface Db {
  get(table: TableName, key: Key): Promise<Item | undefined>;
  /** Any number of keys; the answers stand in their order. */
  getAll(keys: readonly (Key & { table: TableName })[]): Promise<(Item | undefined)[]>;
  query(query: Query): Promise<Page>;
  /**
   * All of the writes or none: one plain write, or one transaction of up to 100. A plain one is
   * refused by its condition only, and with the problem `busy` while transactions do not let it by.
   */
  commit(writes: readonly Write[]): Promise<Commit>;
}

/** Looks through a whole index, which is cheap where few items are in it. */
export interface IndexScan {
  /** One page; `after` is the `next` of the page before. */
  scan(index: { table: TableName; index: 'due' }, after?: Item): Promise<Page>;
}

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

export interface Message {
  readonly body: Readonly<Record<string, unknown>>;
  /** Not before this time; at most 15 minutes ahead, which is the limit of SQS DelaySeconds. */
  readonly atMs?: number;
  /** SQS fair queues isolate the groups from each other. */
  readonly group?: string;
}

export interface Queues {
  /** Resolves to the indexes of the messages that SQS did not take. */
  send(queue: QueueName, messages: readonly Message[]): Promise<readonly number[]>;
}

/**
 * What our code could not handle is parked: messages beside their queue, and in the last two, for
 * the relay and for the statements, positions in the stream of the outbox.
 */
export type ParkedName = QueueName | 'unrelayed' | 'unprojected';

export interface DeadLetter {
  readonly id: string;
  readonly body: string;
  readonly sentAtMs: number;
  /** How often it was received from where it is now. */
  readonly receives: number;
}

/** How far dead letters have been moved back to their queue. */
export interface DeadLetterMove {
  readonly status: 'running' | 'completed' | 'cancelling' | 'cancelled' | 'failed';
  readonly startedAtMs: number;
  readonly moved: number;
  readonly total?: number | undefined;
  readonly error?: string | undefined;
}

export interface DeadLetters {
  /** About how many messages are in the queue itself: waiting, delayed and being worked on. */
  depthOf(name: QueueName): Promise<number>;
  /** As `depthOf`, without what was sent ahead of its time. */
  dueOf(name: QueueName): Promise<number>;
  /** About how many are parked. */
  parkedDepthOf(name: ParkedName): Promise<number>;
  /** How many there are, about, and up to ten of them. They stay. */
  look(name: ParkedName): Promise<{ depth: number; letters: readonly DeadLetter[] }>;
  /** The latest move of these; undefined when there was none. */
  lastMove(name: QueueName): Promise<DeadLetterMove | undefined>;
  /** Moves all of them back in the background. False when they are being moved already. */
  moveBack(name: QueueName, perSecond?: number): Promise<boolean>;
  /** Deletes one. False when it is not among a thousand that nobody else looks at. */
  drop(name: ParkedName, id: string): Promise<boolean>;
  /** Deletes what was sent before this time, of a thousand that nobody else looks at: how many. */
  dropBefore(name: ParkedName, sentBeforeMs: number): Promise<number>;
}

/** A POST to a receiver. `headers` are sent as they are; the body's exact bytes are sent. */
export interface OutboundRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** From the first DNS question to the last byte read. */
  readonly timeoutMs: number;
  /**
   * Headers of a second copy, for when a kept connection is cut before any answer: the receiver may
   * have got the first. Without them there is no second copy, and the outcome is unknown.
   */
  readonly repeatHeaders?: Readonly<Record<string, string>> | undefined;
  /** Asked immediately before the socket is written; false gives up with `abandoned`. */
  readonly stillWanted?: () => boolean;
  /** Called when a second has passed without the end of an answer. */
  readonly onSilence?: () => void;
}

export type SendError =
  | 'timeout'
  | 'reset'
  | 'refused'
  | 'dns'
  | 'tls'
  | 'url_not_allowed'
  | 'too_many_headers';

/**
 * `answered`: a status line came. `failed`: nothing went out. `unknown`: the request went out and
 * no status line came back, so the receiver may or may not have it. `abandoned`: `stillWanted`
 * said no, and nothing was sent. `repeated`: it is about a second copy, and the first may have
 * arrived as well.
 */
export type SendResult = { readonly ms: number; readonly repeated?: true } & (
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      /** The first KB of the body. */
      readonly sample: Uint8Array;
    }
  | { readonly kind: 'failed' | 'unknown'; readonly error: SendError }
  | { readonly kind: 'abandoned' }
);

/** The only way out of Tallyhook: every request to an address that a tenant chose goes here. */
export interface GuardedSender {
  /** The normalised href. Throws `Problem('url_not_allowed')`, with one text for all reasons. */
  checkUrl(url: string): Promise<string>;
  post(request: OutboundRequest): Promise<SendResult>;
}

export interface Secrets {
  /** The value of a secret that the stack made; cached for five minutes. */
  read(name: 'admin-key' | 'master-key' | 'cursor-key'): Promise<string>;
}
