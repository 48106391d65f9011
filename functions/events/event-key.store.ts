import * as z from 'zod';
import { idPart } from '../shared/ids/derive.ts';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Item, Write } from '../shared/world.ts';
import type { OutboxEvent } from './event.ts';

/** As long as the event itself: see event.store.ts. */
const RETENTION_MS = 32 * DAY_MS;

const EventKeyItem = z.object({
  event: z.templateLiteral(['evt_', z.string()]),
  at: z.int(),
  fp: z.string(),
});

/** What an Idempotency-Key of POST /v1/events has made. */
export interface EventKey {
  readonly eventId: OutboxEvent['id'];
  readonly createdAtMs: number;
  readonly fingerprint: string;
}

/** Refused when the key was used before. `keyId` is derived from the tenant and the key. */
export function insertEventKey(tenantId: string, keyId: string, key: EventKey): Write {
  return {
    kind: 'put',
    table: 'outbox',
    condition: 'attribute_not_exists(pk)',
    item: {
      pk: `${tenantId}#I#${idPart(keyId)}`,
      sk: '#',
      v: 1,
      event: key.eventId,
      at: key.createdAtMs,
      fp: key.fingerprint,
      ttl: Math.floor((key.createdAtMs + RETENTION_MS) / SECOND_MS),
    },
  };
}

/** The key in a stored item. */
export function toEventKey(item: Item): EventKey {
  const { event, at, fp } = EventKeyItem.parse(item);
  return { eventId: event, createdAtMs: at, fingerprint: fp };
}
