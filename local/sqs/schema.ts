import type { Database } from '../database.ts';

/**
 * A message is `ready`, or waits until `visible_ms`: because it is delayed, or because somebody
 * has received it (then it has a `receipt`). `turn` is its place in the fair order of its queue.
 * `origin` is the queue from which a dead letter came, and `arrived_ms` when it came.
 */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY, attributes TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL,
  message_id TEXT NOT NULL,
  body TEXT NOT NULL,
  attributes TEXT,
  group_id TEXT,
  turn INTEGER NOT NULL,
  ready INTEGER NOT NULL,
  visible_ms INTEGER NOT NULL,
  sent_ms INTEGER NOT NULL,
  receives INTEGER NOT NULL DEFAULT 0,
  first_receive_ms INTEGER,
  receipt TEXT,
  origin TEXT,
  arrived_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS messages_in_turn ON messages (queue, turn, id) WHERE ready = 1;
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (queue, visible_ms) WHERE ready = 0;
CREATE INDEX IF NOT EXISTS messages_received ON messages (receipt) WHERE receipt IS NOT NULL;
`;

/** Gives a file that was kept by an earlier version the columns that it has not. */
export function upgrade(db: Database): void {
  const columns = db.rows<{ name: string }>("SELECT name FROM pragma_table_info('messages')");
  if (columns.some(({ name }) => name === 'arrived_ms')) return;
  db.run('ALTER TABLE messages ADD COLUMN arrived_ms INTEGER');
}

/** One row of `messages`. */
export interface StoredMessage {
  readonly id: number;
  readonly queue: string;
  readonly message_id: string;
  readonly body: string;
  readonly attributes: string | null;
  readonly group_id: string | null;
  readonly turn: number;
  readonly sent_ms: number;
  readonly receives: number;
  readonly first_receive_ms: number | null;
}
