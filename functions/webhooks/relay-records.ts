import { findAgain, toEvent } from '../events/event.store.ts';
import type { RelayedEvent } from '../events/event.ts';
import type { StreamRecord } from '../shared/aws/stream.ts';
import type { World } from '../shared/world.ts';
import { type RelayNeeds, relayEvents } from './relay-events.ts';

type Needs = RelayNeeds & Pick<World, 'db'>;

/**
 * Relays a batch of the outbox's stream. Answers the sequence numbers of records that are no
 * events: they are tried again, and end in the stream's queue for failures. What is behind such a
 * record comes again with it, and is looked at first: a record tells nothing of what came later.
 */
export async function relayRecords(
  records: readonly StreamRecord[],
  world: Needs,
): Promise<readonly string[]> {
  const events: RelayedEvent[] = [];
  const failed: string[] = [];
  for (const { item, sequenceNumber } of records) {
    try {
      events.push(toEvent(item));
    } catch (error) {
      failed.push(sequenceNumber);
      world.log.error('relay.bad-record', { sequenceNumber, error });
    }
  }
  const now = failed.length === 0 ? events : await findAgain(world.db, events);
  const left = await relayEvents(now.filter(isNew), world);
  world.log.info('relay.batch', { events: events.length, left, failed: failed.length });
  return failed;
}

function isNew({ relayedAtMs }: RelayedEvent): boolean {
  return relayedAtMs === undefined;
}
