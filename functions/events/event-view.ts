import { toInstant } from '../shared/wire.ts';
import type { OutboxEvent } from './event.ts';

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
