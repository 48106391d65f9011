import { toEvent } from '../events/event.store.ts';
import type { OutboxEvent } from '../events/event.ts';
import type { StreamRecord } from '../shared/aws/stream.ts';
import { type RelayNeeds, relayEvents } from './relay-events.ts';

/**
 * Relays a batch of the outbox's stream. Answers the sequence numbers of records that are no
 * events: they are tried again, and end in the stream's queue for failures.
 */
export async function relayRecords(
  records: readonly StreamRecord[],
  world: RelayNeeds,
): Promise<readonly string[]> {
  const events: OutboxEvent[] = [];
  const failed: string[] = [];
  for (const { item, sequenceNumber } of records) {
    try {
      events.push(toEvent(item));
    } catch (error) {
      failed.push(sequenceNumber);
      world.log.error('relay.bad-record', { sequenceNumber, error });
    }
  }
  const left = await relayEvents(events, world);
  world.log.info('relay.batch', { events: events.length, left, failed: failed.length });
  return failed;
}
