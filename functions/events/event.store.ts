import * as z from 'zod';
import { shardOf } from '../shared/ids/derive.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { minutePartition } from '../shared/sortable.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import type { OutboxEvent, RelayedEvent } from './event.ts';

/** One outbox shard bears about 330 events a second. */
export const OUTBOX_SHARDS = 16;
/** How many index partitions the list of a tenant's events is spread over. */
export const LISTING_SHARDS = 4;

/** A delivery's body must outlive the delivery: 30 days and 2. */
const RETENTION_MS = 32 * DAY_MS;

/** Stored items are read tolerantly: an unknown field is a later release's. */
const EventItem = z.object({
  id: z.templateLiteral(['evt_', z.string()]),
  tenant: z.string(),
  type: z.string(),
  ts: z.number(),
  data: z.string().refine(isJson),
  to: z.string().optional(),
  traceparent: z.string().optional(),
  hops: z.number().optional(),
  relayedAt: z.number().optional(),
  sentTo: z.set(z.string()).optional(),
});

/** Receivers must never get what they cannot read. */
function isJson(data: string): boolean {
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

/** Where an event lies follows from its id: the minute of its ULID, and a shard. */
export function eventKey(tenantId: string, eventId: string): Key {
  const minute = Math.floor(timeOfId(eventId) / MINUTE_MS);
  return {
    pk: minutePartition(minute, shardOf(eventId, OUTBOX_SHARDS)),
    sk: `${tenantId}#${eventId}`,
  };
}

/** Refused when it is there already: a write that was repeated because its answer got lost. */
export function insertEvent(event: OutboxEvent): Write {
  return {
    kind: 'put',
    table: 'outbox',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...eventKey(event.tenantId, event.id),
      v: 1,
      id: event.id,
      tenant: event.tenantId,
      type: event.type,
      ts: event.occurredAtMs,
      data: event.data,
      to: event.to,
      traceparent: event.traceparent,
      hops: event.hops || undefined,
      listingPk: `${event.tenantId}#${shardOf(event.id, LISTING_SHARDS)}`,
      listingSk: event.id,
      ttl: Math.floor((timeOfId(event.id) + RETENTION_MS) / SECOND_MS),
    },
  };
}

/**
 * Notes that these endpoints have their message. The endpoints add up: of two relays at a time one
 * may have read an older list, and neither may take away what the other has sent.
 */
export function markRelayed(
  event: Pick<OutboxEvent, 'id' | 'tenantId'>,
  sentTo: readonly string[],
  relayedAtMs: number,
): Write {
  const mark = 'SET relayedAt = if_not_exists(relayedAt, :now)';
  return {
    kind: 'update',
    table: 'outbox',
    key: eventKey(event.tenantId, event.id),
    // A set in DynamoDB is never empty.
    update: sentTo.length > 0 ? `${mark} ADD sentTo :to` : mark,
    condition: 'attribute_exists(pk)',
    values: { ':now': relayedAtMs, ...(sentTo.length > 0 && { ':to': new Set(sentTo) }) },
  };
}

/** The event in a stored item: a stream record, or a row of a partition. Throws for any other. */
export function toEvent(item: Item): RelayedEvent {
  const stored = EventItem.parse(item);
  return {
    id: stored.id,
    tenantId: stored.tenant,
    type: stored.type,
    occurredAtMs: stored.ts,
    data: stored.data,
    to: stored.to,
    traceparent: stored.traceparent,
    hops: stored.hops,
    relayedAtMs: stored.relayedAt,
    sentTo: stored.relayedAt === undefined ? undefined : [...(stored.sentTo ?? [])].sort(),
  };
}

/** Undefined when there is no such event of this tenant, or its retention is over. */
export async function findEvent(
  db: Pick<Db, 'get'>,
  tenantId: string,
  eventId: string,
): Promise<RelayedEvent | undefined> {
  const item = await db.get('outbox', eventKey(tenantId, eventId));
  return item && toEvent(item);
}

/**
 * These events, in this order. Left out is what is not there any more, and what is no event that
 * this release understands: it must not hide the others.
 */
export async function findEvents(
  db: Pick<Db, 'getAll'>,
  tenantId: string,
  eventIds: readonly string[],
): Promise<RelayedEvent[]> {
  const keys = eventIds.map((id) => ({ table: 'outbox' as const, ...eventKey(tenantId, id) }));
  const items = await db.getAll(keys);
  return items.flatMap((it) => (EventItem.safeParse(it).success ? [toEvent(it as Item)] : []));
}

/** One page of a partition. */
export interface OutboxPage {
  readonly events: readonly RelayedEvent[];
  /** How many rows are no events that this release understands. */
  readonly unreadable: number;
}

/** All events that were committed in a minute (since 1970), of one shard, page by page. */
export async function* listOutbox(
  db: Pick<Db, 'query'>,
  minute: number,
  shard: number,
): AsyncGenerator<OutboxPage> {
  let after: Item | undefined;
  do {
    const pk = minutePartition(minute, shard);
    const page = await db.query({ table: 'outbox', pk, ...(after && { after }) });
    const readable = page.items.filter((it) => EventItem.safeParse(it).success);
    const unreadable = page.items.length - readable.length;
    if (page.items.length > 0) yield { events: readable.map(toEvent), unreadable };
    after = page.next;
  } while (after);
}
