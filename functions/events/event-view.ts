import { exactJson } from '../shared/http/strict-json.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { toInstant } from '../shared/wire.ts';
import type { DeliveryState, OutboxEvent, RelayedEvent } from './event.ts';

/** An event as its tenant sees it, without its data. */
export function eventView(event: OutboxEvent, createdAtMs: number) {
  return {
    id: event.id,
    object: 'event' as const,
    type: event.type,
    occurredAt: toInstant(event.occurredAtMs),
    createdAt: toInstant(createdAtMs),
    endpointId: event.to as `end_${string}` | undefined,
  };
}

/** An event as it is read, with its data, and each number in that as it was written. */
export function readEventView(event: RelayedEvent) {
  const { data, relayedAtMs } = event;
  return {
    ...eventView(event, timeOfId(event.id)),
    data: exactJson(data),
    relayedAt: relayedAtMs === undefined ? undefined : toInstant(relayedAtMs),
  };
}

/** Where a delivery stands, as its tenant sees it. */
export function stateView({ nextAtMs, ...state }: DeliveryState) {
  return { ...state, nextAt: nextAtMs === undefined ? undefined : toInstant(nextAtMs) };
}
