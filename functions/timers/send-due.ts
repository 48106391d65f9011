import type { Message, QueueName, Queues, World } from '../shared/world.ts';
import { DUE_QUEUES, type SweptTable } from './due-table.ts';
import { messagesOf } from './gather-due.ts';
import type { DueEntry } from './sweep.store.ts';

interface Sender extends Pick<World, 'clock' | 'log' | 'queues'> {
  readonly nowMs: number;
  /** When to begin no further part. */
  readonly stopMs: number;
}

/** So many go to the queue at once: it takes ten in a call, and all shards send together. */
const PART = 250;

/**
 * Sends the messages of these entries to their room, in order: how many of them its queue took
 * before the time was up.
 */
export async function sendDue(
  table: SweptTable,
  entries: readonly DueEntry[],
  { nowMs, stopMs, clock, log, queues }: Sender,
): Promise<number> {
  const queue = DUE_QUEUES[table];
  for (let sent = 0; sent < entries.length; sent += PART) {
    if (clock.nowMs() >= stopMs) return sent;
    const part = messagesOf(table, entries.slice(sent, sent + PART), nowMs);
    try {
      if (!(await sendPart(queue, part, queues))) return sent;
    } catch (error) {
      log.warn('sweep.send-failed', { queue, messages: part.length, error });
      return sent;
    }
  }
  return entries.length;
}

/** A queue may refuse some of many, which are sent twice: those behind must not wait for them. */
async function sendPart(
  queue: QueueName,
  part: readonly Message[],
  queues: Queues,
): Promise<boolean> {
  const refused = await queues.send(queue, part);
  const left = refused.flatMap((index) => part[index] ?? []);
  return left.length === 0 || (await queues.send(queue, left)).length === 0;
}
