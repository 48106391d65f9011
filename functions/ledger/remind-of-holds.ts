import * as z from 'zod';
import { toEvent } from '../events/event.store.ts';
import type { StreamRecord } from '../shared/aws/stream.ts';
import { Instant } from '../shared/wire.ts';
import type { Message, World } from '../shared/world.ts';
import { SOON_MS } from '../timers/due.ts';
import { holdMessage } from './hold-message.ts';
import { journalKey } from './transaction.store.ts';

const NewHold = z.object({ id: z.string(), expiresAt: Instant.optional() });

/**
 * Sends the messages of new holds that expire soon. The sweeper finds a hold without one too, only
 * later, so that a failure is only noted.
 */
export async function remindOfHolds(
  records: readonly StreamRecord[],
  { clock, log, queues }: Pick<World, 'clock' | 'log' | 'queues'>,
): Promise<void> {
  const soonMs = clock.nowMs() + SOON_MS;
  const messages = records.flatMap((it) => messageOf(it, soonMs));
  if (messages.length === 0) return;
  try {
    await queues.send('hold-expiry', messages);
  } catch (error) {
    log.warn('message.lost', { queue: 'hold-expiry', error });
  }
}

/** None for a record that is no event: the projection has said so, and it is parked in the end. */
function messageOf({ item }: StreamRecord, soonMs: number): Message[] {
  if (item.type !== 'hold.created') return [];
  try {
    const { tenantId, data } = toEvent(item);
    const { id, expiresAt } = NewHold.parse(JSON.parse(data));
    if (expiresAt === undefined || expiresAt > soonMs) return [];
    return [holdMessage({ ...journalKey(tenantId, id), dueMs: expiresAt })];
  } catch {
    return [];
  }
}
