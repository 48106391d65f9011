import { toEvent } from '../../../functions/events/event.store.ts';
import type { RelayedEvent } from '../../../functions/events/event.ts';
import type { Item } from '../../../functions/shared/world.ts';
import { toDelivery } from '../../../functions/webhooks/delivery.store.ts';
import { type Delivery, isFinal } from '../../../functions/webhooks/delivery.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * For a system at rest. O2 every event was relayed, and each of its endpoints has exactly one
 * delivery; no delivery tells of an event that is not there. O3 every delivery is at its end.
 * D1 what is not at its end has `due`. Answers one sentence per violation.
 */
export function checkDeliveries(snapshot: Pick<Snapshot, 'outbox' | 'deliveries'>): string[] {
  const events = snapshot.outbox.filter(isEvent).map(toEvent);
  const rows = snapshot.deliveries.filter(isRow);
  const deliveries = rows.map(toDelivery);
  return [
    ...checkRelayed(events, deliveries),
    ...deliveries.flatMap((it) =>
      isFinal(it) ? [] : [`O3 the delivery ${nameOf(it)} is ${it.status}`],
    ),
    ...rows.flatMap(checkDue),
  ];
}

const isEvent = ({ id }: Item) => String(id).startsWith('evt_');

/** A row of a delivery; the samples of its failed attempts have a longer sort key. */
export const isRow = ({ sk }: Item) => !String(sk).includes('#');

const nameOf = ({ eventId, endpointId }: Pick<Delivery, 'eventId' | 'endpointId'>) =>
  `${eventId} → ${endpointId}`;

function checkRelayed(events: readonly RelayedEvent[], deliveries: readonly Delivery[]): string[] {
  const unrelayed = events.filter((it) => it.relayedAtMs === undefined);
  const wanted = events.flatMap(({ id, sentTo = [] }) =>
    sentTo.map((endpointId) => nameOf({ eventId: id, endpointId })),
  );
  const known = new Set(wanted);
  const found = new Set(deliveries.map(nameOf));
  // An alert of a file has no event in the outbox.
  const ofEvents = deliveries.filter((it) => it.alert === undefined).map(nameOf);
  const invented = ofEvents.filter((it) => !known.has(it));
  return [
    ...unrelayed.map(({ id }) => `O2 the event ${id} was never relayed`),
    ...wanted.filter((it) => !found.has(it)).map((it) => `O2 ${it} has no delivery`),
    ...invented.map((it) => `O2 the delivery ${it} has no event`),
  ];
}

/** First attempts by a message are the reconciler's; all else that is not at its end is due. */
function checkDue(row: Item): string[] {
  const delivery = toDelivery(row);
  const { status, seq, dueMs } = delivery;
  const isFirst = status === 'inflight' && seq === 1 && dueMs === undefined;
  const needsDue = !isFinal(delivery) && !isFirst;
  if (needsDue && row.duePk === undefined) return [`D1 ${nameOf(delivery)} is not due`];
  if (isFinal(delivery) && row.duePk !== undefined && delivery.status !== 'held') {
    return [`D1 ${nameOf(delivery)} is at its end and still due`];
  }
  return [];
}
