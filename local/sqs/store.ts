import { createHash, randomUUID } from 'node:crypto';
import { type Database, openDatabase } from '../database.ts';
import { FairOrder } from './fair-order.ts';
import { SCHEMA, type StoredMessage, upgrade } from './schema.ts';

export type ReceivedMessage = StoredMessage & {
  readonly receipt: string;
  readonly first_receive_ms: number;
};

/** An answer that names an SQS error, as the SDKs know it. */
export class SqsError extends Error {
  override readonly name = 'SqsError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface NewMessage {
  readonly body: string;
  readonly attributes?: unknown;
  readonly group?: string | undefined;
  readonly delaySeconds?: number | undefined;
}

export type QueueAttributes = Readonly<Record<string, string>>;

const DEFAULTS: QueueAttributes = {
  VisibilityTimeout: '30',
  DelaySeconds: '0',
  MaximumMessageSize: '1048576',
  MessageRetentionPeriod: '345600',
  ReceiveMessageWaitTimeSeconds: '0',
};

/** What was received so often is no longer the oldest, however old it is. */
const POISON_RECEIVES = 3;

export const QUEUE_ARN_PREFIX = 'arn:aws:sqs:us-east-1:000000000000:';

/** The name of the queue behind an ARN. */
export const queueOfArn = (arn: string): string => arn.slice(arn.lastIndexOf(':') + 1);

/**
 * Standard queues on SQLite: at least once, roughly in order and fair between message groups.
 * Every call is one transaction, so that `kill -9` loses nothing that was answered.
 */
export class QueueStore {
  readonly #db: Database;
  readonly #queues = new Map<string, QueueAttributes>();
  readonly #order: FairOrder;
  readonly nowMs: () => number;

  constructor(file: string, nowMs: () => number = Date.now) {
    this.#db = openDatabase(file, SCHEMA);
    upgrade(this.#db);
    this.nowMs = nowMs;
    for (const row of this.#db.rows<{ name: string; attributes: string }>('SELECT * FROM queues')) {
      this.#queues.set(row.name, JSON.parse(row.attributes));
    }
    this.#order = new FairOrder(
      this.#db.rows('SELECT queue, group_id, MAX(turn) AS last FROM messages GROUP BY 1, 2'),
      this.#db.rows('SELECT queue, MIN(turn) - 1 AS now FROM messages WHERE ready = 1 GROUP BY 1'),
    );
  }

  /** Makes the queue, or gives an existing one these attributes; its messages stay. */
  createQueue(name: string, attributes: QueueAttributes): void {
    const known = { ...DEFAULTS, ...this.#queues.get(name), ...attributes };
    this.#db.run('INSERT OR REPLACE INTO queues VALUES (?, ?)', name, JSON.stringify(known));
    this.#queues.set(name, known);
  }

  deleteQueue(name: string): void {
    this.purge(name);
    this.#db.run('DELETE FROM queues WHERE name = ?', name);
    this.#queues.delete(name);
  }

  queueNames(): string[] {
    return [...this.#queues.keys()];
  }

  /** Refuses a queue that does not exist. */
  settings(name: string): QueueAttributes {
    const found = this.#queues.get(name);
    if (!found) throw new SqsError('QueueDoesNotExist', `There is no queue ${name}.`);
    return found;
  }

  /** The settings of a queue and the counts of its messages. */
  attributes(name: string): QueueAttributes {
    const settings = this.settings(name);
    this.#wake(name);
    const [count] = this.#db.rows<{ ready: number; flying: number; delayed: number }>(
      `SELECT COUNT(*) FILTER (WHERE ready = 1) AS ready,
         COUNT(*) FILTER (WHERE ready = 0 AND receipt IS NOT NULL) AS flying,
         COUNT(*) FILTER (WHERE ready = 0 AND receipt IS NULL) AS delayed
       FROM messages WHERE queue = ?`,
      name,
    );
    return {
      ...settings,
      QueueArn: `${QUEUE_ARN_PREFIX}${name}`,
      ApproximateNumberOfMessages: String(count?.ready),
      ApproximateNumberOfMessagesNotVisible: String(count?.flying),
      ApproximateNumberOfMessagesDelayed: String(count?.delayed),
    };
  }

  /** All of the messages or none of them. Answers their ids. */
  send(queue: string, messages: readonly NewMessage[]): string[] {
    const settings = this.settings(queue);
    const nowMs = this.nowMs();
    return this.#db.atomically(() =>
      messages.map((message) => {
        const delayMs = 1_000 * (message.delaySeconds ?? Number(settings.DelaySeconds));
        const id = randomUUID();
        this.#db.run(
          `INSERT INTO messages (queue, message_id, body, attributes, group_id, turn, ready,
             visible_ms, sent_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          queue,
          id,
          message.body,
          message.attributes === undefined ? null : JSON.stringify(message.attributes),
          message.group ?? null,
          this.#order.next(queue, message.group),
          delayMs === 0 ? 1 : 0,
          nowMs + delayMs,
          nowMs,
        );
        return id;
      }),
    );
  }

  /**
   * Up to `max` messages, each invisible to others for `visibilitySeconds`. A message that was
   * received as often as the redrive policy allows goes to the dead-letter queue instead.
   */
  receive(queue: string, max: number, visibilitySeconds?: number): ReceivedMessage[] {
    const settings = this.settings(queue);
    const nowMs = this.nowMs();
    const untilMs = nowMs + 1_000 * (visibilitySeconds ?? Number(settings.VisibilityTimeout));
    return this.#db.atomically(() => {
      this.#wake(queue);
      this.#bury(queue, settings);
      const found = this.#db.rows<StoredMessage>(
        'SELECT * FROM messages WHERE queue = ? AND ready = 1 ORDER BY turn, id LIMIT ?',
        queue,
        max,
      );
      return found.map((message) => this.#hand(message, nowMs, untilMs));
    });
  }

  #hand(message: StoredMessage, nowMs: number, untilMs: number): ReceivedMessage {
    const receipt = `${message.id}.${randomUUID()}`;
    const firstMs = message.first_receive_ms ?? nowMs;
    this.#order.pass(message.queue, message.turn);
    this.#db.run(
      `UPDATE messages SET ready = 0, visible_ms = ?, receives = receives + 1, receipt = ?,
         first_receive_ms = ? WHERE id = ?`,
      untilMs,
      receipt,
      firstMs,
      message.id,
    );
    return { ...message, receives: message.receives + 1, first_receive_ms: firstMs, receipt };
  }

  /** What was delayed or in flight until now can be received again. */
  #wake(queue: string): void {
    this.#db.run(
      `UPDATE messages SET ready = 1, receipt = NULL
       WHERE queue = ? AND ready = 0 AND visible_ms <= ?`,
      queue,
      this.nowMs(),
    );
  }

  #bury(queue: string, settings: QueueAttributes): void {
    if (!settings.RedrivePolicy) return;
    const policy = JSON.parse(settings.RedrivePolicy);
    this.#db.run(
      `UPDATE messages SET queue = ?, origin = ?, arrived_ms = ?, receives = 0
       WHERE queue = ? AND ready = 1 AND receives >= ?`,
      queueOfArn(policy.deadLetterTargetArn),
      queue,
      this.nowMs(),
      queue,
      Number(policy.maxReceiveCount),
    );
  }

  /** Forgets the message of a receipt; one that is gone or was received again is left alone. */
  remove(queue: string, receipt: string): void {
    this.settings(queue);
    this.#db.run('DELETE FROM messages WHERE queue = ? AND receipt = ?', queue, receipt);
  }

  changeVisibility(queue: string, receipt: string, seconds: number): void {
    const changed = this.#db.run(
      'UPDATE messages SET visible_ms = ? WHERE queue = ? AND receipt = ?',
      this.nowMs() + 1_000 * seconds,
      queue,
      receipt,
    );
    if (changed === 0) throw new SqsError('MessageNotInflight', 'The message is not in flight.');
  }

  purge(queue: string): void {
    this.settings(queue);
    this.#db.run('DELETE FROM messages WHERE queue = ?', queue);
  }

  /** Whether this is the dead-letter queue of some queue. */
  parksFor(name: string): boolean {
    const policies = [...this.#queues.values()].map((it) => JSON.parse(it.RedrivePolicy ?? '{}'));
    return policies.some((it) => queueOfArn(it.deadLetterTargetArn ?? '') === name);
  }

  /**
   * Moves up to `max` dead letters to `target`, or back to where each came from. As new messages:
   * with another id, received by nobody. Answers how many.
   */
  moveReady(queue: string, { target, max }: { target?: string | undefined; max: number }): number {
    this.settings(queue);
    return this.#db.atomically(() => {
      this.#wake(queue);
      const found = this.#db.rows<{ id: number; group_id: string | null; target: string }>(
        `SELECT id, group_id, COALESCE(?, origin) AS target FROM messages
         WHERE queue = ? AND ready = 1 AND COALESCE(?, origin) IS NOT NULL
         ORDER BY turn, id LIMIT ?`,
        ...[target ?? null, queue, target ?? null, max],
      );
      for (const message of found) this.#move(message);
      return found.length;
    });
  }

  #move({ id, group_id, target }: { id: number; group_id: string | null; target: string }): void {
    this.settings(target);
    this.#db.run(
      `UPDATE messages SET queue = ?, origin = NULL, arrived_ms = NULL, receives = 0,
         first_receive_ms = NULL, message_id = ?, sent_ms = ?, turn = ? WHERE id = ?`,
      ...[target, randomUUID(), this.nowMs(), this.#order.next(target, group_id ?? undefined), id],
    );
  }

  /**
   * How long the oldest message is in this queue, as SQS tells CloudWatch: one that is delayed is
   * not there yet, and one that was received three times is left out. Undefined without any. Both
   * halves of the condition have an index, so that no other queue is looked through.
   */
  oldestAgeSeconds(queue: string): number | undefined {
    const [row] = this.#db.rows<{ since: number | null }>(
      `SELECT MIN(COALESCE(arrived_ms, sent_ms)) AS since FROM messages
       WHERE receives < ?2 AND (queue = ?1 AND ready = 1
         OR queue = ?1 AND ready = 0 AND (receipt IS NOT NULL OR visible_ms <= ?3))`,
      ...[queue, POISON_RECEIVES, this.nowMs()],
    );
    return row?.since == null ? undefined : Math.floor((this.nowMs() - row.since) / 1_000);
  }

  /** Milliseconds until something of this queue can be received; undefined when nothing waits. */
  nextInMs(queue: string): number | undefined {
    const [row] = this.#db.rows<{ next: number | null }>(
      'SELECT MIN(visible_ms) AS next FROM messages WHERE queue = ? AND ready = 0',
      queue,
    );
    return row?.next == null ? undefined : Math.max(0, row.next - this.nowMs());
  }

  /** Forgets what is older than its queue keeps messages. */
  expire(): void {
    for (const [name, { MessageRetentionPeriod }] of this.#queues) {
      const beforeMs = this.nowMs() - 1_000 * Number(MessageRetentionPeriod);
      this.#db.run('DELETE FROM messages WHERE queue = ? AND sent_ms < ?', name, beforeMs);
    }
  }

  close(): void {
    this.#db.close();
  }
}

/** As SQS reports it with every body. */
export const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
