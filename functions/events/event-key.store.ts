import * as z from 'zod';
import { idPart } from '../shared/ids/derive.ts';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
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

function keyOf(tenantId: string, keyId: string): Key {
  return { pk: `${tenantId}#I#${idPart(keyId)}`, sk: '#' };
}

/** Refused when the key was used before. `keyId` is derived from the tenant and the key. */
export function insertEventKey(tenantId: string, keyId: string, key: EventKey): Write {
  return {
    kind: 'put',
    table: 'outbox',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...keyOf(tenantId, keyId),
      v: 1,
      event: key.eventId,
      at: key.createdAtMs,
      fp: key.fingerprint,
      ttl: Math.floor((key.createdAtMs + RETENTION_MS) / SECOND_MS),
    },
  };
}

/** Undefined when the key was not used. */
export async function findEventKey(
  db: Pick<Db, 'get'>,
  tenantId: string,
  keyId: string,
): Promise<EventKey | undefined> {
  const item = await db.get('outbox', keyOf(tenantId, keyId));
  return item && toEventKey(item);
}

/** The key in a stored item. */
export function toEventKey(item: Item): EventKey {
  const { event, at, fp } = EventKeyItem.parse(item);
  return { eventId: event, createdAtMs: at, fingerprint: fp };
}
