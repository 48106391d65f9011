import type { RelayedEvent } from '../events/event.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { toInstant } from '../shared/wire.ts';
import type { Delivery, RecordedAttempt } from './delivery.ts';
import { type DeliveryName, deliveryId } from './delivery-name.ts';

/** What receivers answered to failed attempts, by number. */
export type Samples = ReadonlyMap<number, string>;

/** A delivery as its tenant sees it. */
export function deliveryView(delivery: Delivery, samples: Samples = new Map()) {
  const { status, dueMs, alert } = delivery;
  const hasNext = status === 'waiting' || status === 'retrying';
  return {
    ...identity(delivery),
    eventType: delivery.eventType,
    status,
    attempts: delivery.attempts.map((it) => attemptView(it, samples.get(it.n))),
    nextAt: hasNext && dueMs !== undefined ? toInstant(dueMs) : undefined,
    reason: delivery.reason,
    fileId: alert?.origin.fileId as `fil_${string}` | undefined,
    createdAt: toInstant(delivery.createdAtMs),
  };
}

/** A delivery of which nothing is stored yet: the event was relayed, and nobody has claimed it. */
export function pendingView(event: RelayedEvent, endpointId: string) {
  return {
    ...identity({ endpointId, eventId: event.id }),
    eventType: event.type,
    status: 'pending' as const,
    attempts: [],
    createdAt: toInstant(event.relayedAtMs ?? timeOfId(event.id)),
  };
}

function identity(name: Omit<DeliveryName, 'tenantId'>) {
  return {
    id: deliveryId(name),
    object: 'delivery' as const,
    endpointId: name.endpointId as `end_${string}`,
    eventId: name.eventId as `evt_${string}`,
  };
}

/** An attempt as its tenant sees it, with what the receiver answered if that is known. */
export function attemptView(attempt: RecordedAttempt, response?: string) {
  const { n, atMs, outcome, status, ms, error, nextAtMs, possibleDuplicate } = attempt;
  return {
    n,
    at: toInstant(atMs),
    outcome,
    status,
    ms,
    error,
    nextAt: nextAtMs === undefined ? undefined : toInstant(nextAtMs),
    possibleDuplicate,
    response,
  };
}
