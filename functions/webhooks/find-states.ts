import type { DeliveryState, RelayedEvent } from '../events/event.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import type { World } from '../shared/world.ts';
import { findDeliveries } from './delivery.store.ts';
import { type Delivery, RETENTION_MS } from './delivery.ts';
import { deliveryId } from './delivery-name.ts';
import { listEndpoints } from './endpoint.store.ts';
import { type Endpoint, wants } from './endpoint.ts';
import { addressOf } from './event-address.ts';

/**
 * Where the deliveries of an event stand: one state for each endpoint that it was sent to, and
 * `missing` for each that wants it and is not among them. None before it was relayed, and none of
 * which the record has ended.
 */
export async function findStates(
  { clock, db }: Pick<World, 'clock' | 'db'>,
  event: RelayedEvent,
): Promise<DeliveryState[]> {
  const { tenantId, id: eventId, sentTo = [], relayedAtMs } = event;
  if (relayedAtMs === undefined) return [];
  const names = sentTo.map((endpointId) => ({ tenantId, endpointId, eventId }));
  const rows = await findDeliveries(db, names);
  const isOver = haveEnded(event, clock.nowMs());
  const sent = names.flatMap(({ endpointId }, index): DeliveryState[] => {
    const row = rows[index];
    if (!row && isOver) return [];
    const identity = { endpointId: endpointId as Endpoint['id'] };
    return [{ ...identity, deliveryId: deliveryId({ endpointId, eventId }), ...stateOf(row) }];
  });
  const endpoints = await listEndpoints(db, tenantId);
  const missing = endpoints.filter((it) => !sentTo.includes(it.id) && isMissing(it, event));
  return [
    ...sent,
    ...missing.map(({ id }) => ({ endpointId: id, status: 'missing' as const, attempts: 0 })),
  ];
}

/** Whether the records of an event's deliveries have ended by now: what has none is not pending. */
export function haveEnded({ relayedAtMs }: Pick<RelayedEvent, 'relayedAtMs'>, nowMs: number) {
  return relayedAtMs !== undefined && nowMs >= relayedAtMs + RETENTION_MS;
}

function stateOf(row: Delivery | undefined) {
  if (!row) return { status: 'pending' as const, attempts: 0 };
  const { status, attempts, dueMs } = row;
  const hasNext = status === 'waiting' || status === 'retrying';
  return { status, attempts: attempts.at(-1)?.n ?? 0, nextAtMs: hasNext ? dueMs : undefined };
}

/** Whether an endpoint that was there then would get such an event now, if it were active. */
function isMissing(endpoint: Endpoint, event: RelayedEvent): boolean {
  if (endpoint.createdAtMs > timeOfId(event.id)) return false;
  return wants({ ...endpoint, status: 'active' }, addressOf(event));
}
