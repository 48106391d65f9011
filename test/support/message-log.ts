import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Database, openDatabase } from '../../local/database.ts';
import { queueOfArn } from '../../local/sqs/store.ts';

/** Keeps a copy of whatever is sent to a queue. */
const SCHEMA = `
PRAGMA busy_timeout = 10000;
CREATE TABLE IF NOT EXISTS sent (queue TEXT, body TEXT, group_id TEXT);
CREATE TRIGGER IF NOT EXISTS log_sent AFTER INSERT ON messages BEGIN
  INSERT INTO sent VALUES (NEW.queue, NEW.body, NEW.group_id);
END;
`;

/** Every message of a local cloud from now on, also those that were handled. */
export interface MessageLog {
  /** How many were sent to each queue, by its physical name. */
  counts(): ReadonlyMap<string, number>;
  /** Messages that wait in whichever queue, are delayed or are in somebody's hands. */
  open(): number;
  /** Puts all that were ever sent into their dead-letter queues, as if they had failed there. */
  parkAll(): void;
  close(): void;
}

/** Opens the file of the local SQS beside its thread. */
export function openMessageLog(stateDir: string): MessageLog {
  const db = openDatabase(join(stateDir, 'sqs.db'), SCHEMA);
  return {
    counts() {
      const rows = db.rows<{ queue: string; n: number }>(
        'SELECT queue, COUNT(*) AS n FROM sent GROUP BY 1',
      );
      return new Map(rows.map(({ queue, n }) => [queue, n]));
    },
    open: () => db.rows<{ n: number }>('SELECT COUNT(*) AS n FROM messages')[0]?.n ?? 0,
    parkAll: () => db.atomically(() => parkAll(db)),
    close: () => db.close(),
  };
}

function parkAll(db: Database): void {
  db.run('DROP TRIGGER log_sent');
  const queues = db.rows<{ name: string; attributes: string }>('SELECT * FROM queues');
  const policies = queues.map(({ name, attributes }) => {
    const { deadLetterTargetArn = '' } = JSON.parse(JSON.parse(attributes).RedrivePolicy ?? '{}');
    return [name, queueOfArn(deadLetterTargetArn)] as const;
  });
  const parkedOf = new Map(policies);
  const sent = db.rows<{ queue: string; body: string; group_id: string | null }>(
    'SELECT * FROM sent',
  );
  for (const { queue, body, group_id } of sent) {
    db.run(
      `INSERT INTO messages (queue, origin, body, group_id, message_id, turn, ready, visible_ms,
         sent_ms) VALUES (?, ?, ?, ?, ?, 0, 1, 0, ?)`,
      ...[parkedOf.get(queue) ?? '', queue, body, group_id, randomUUID(), Date.now()],
    );
  }
}
