import * as z from 'zod';
import { FORM } from '../shared/form.ts';
import { shardOf } from '../shared/ids/derive.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { pagesOf } from '../shared/page.ts';
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
  // That of a later release is none that this one understands.
  v: z.int().max(FORM).default(FORM),
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

/** Notes these endpoints, at least one, on an event that others are still to get. */
export function markHanded(
  event: Pick<OutboxEvent, 'id' | 'tenantId'>,
  handedTo: readonly string[],
): Write {
  return {
    kind: 'update',
    table: 'outbox',
    key: eventKey(event.tenantId, event.id),
    update: 'ADD sentTo :to',
    condition: 'attribute_exists(pk)',
    values: { ':to': new Set(handedTo) },
  };
}

/** The event in a stored item: a stream record, or a row of a partition. Throws for any other. */
export function toEvent(item: Item): RelayedEvent {
  return fromStored(EventItem.parse(item));
}

/** The event in a stored item, and nothing in place of any other. */
function toEvents(item: Item | undefined): RelayedEvent[] {
  const { success, data } = EventItem.safeParse(item);
  return success ? [fromStored(data)] : [];
}

function fromStored(stored: z.output<typeof EventItem>): RelayedEvent {
  const noted = [...(stored.sentTo ?? [])].sort();
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
    ...(stored.relayedAt === undefined ? { handedTo: noted } : { sentTo: noted }),
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
  return findAgain(
    db,
    eventIds.map((id) => ({ tenantId, id })),
  );
}

/** The same of any tenants: what has been noted on these events by now. */
export async function findAgain(
  db: Pick<Db, 'getAll'>,
  events: readonly { readonly tenantId: string; readonly id: string }[],
): Promise<RelayedEvent[]> {
  const keys = events.map(({ tenantId, id }) => eventKey(tenantId, id));
  const items = await db.getAll(keys.map((key) => ({ table: 'outbox' as const, ...key })));
  return items.flatMap(toEvents);
}

/** A place in a minute of the outbox, which is read shard by shard. */
export interface OutboxPlace {
  readonly shard: number;
  /** The first row from there on. */
  readonly sk: string;
}

/** Where an event lies in its minute. */
export function placeOf({ tenantId, id }: Pick<OutboxEvent, 'id' | 'tenantId'>): OutboxPlace {
  return { shard: shardOf(id, OUTBOX_SHARDS), sk: eventKey(tenantId, id).sk };
}

/** One page of a partition. */
export interface OutboxPage {
  readonly events: readonly RelayedEvent[];
  /** How many rows are no events that this release understands. */
  readonly unreadable: number;
  /** Where it begins. */
  readonly place: OutboxPlace;
}

/** All events that were committed in a minute (since 1970), of one shard, page by page. */
export function listOutbox(
  db: Pick<Db, 'query'>,
  minute: number,
  shard: number,
): AsyncGenerator<OutboxPage> {
  return listShard(db, minute, { shard });
}

/**
 * All events that were committed in a minute, shard by shard, from a place on. The first pages of
 * all shards are read at once: most minutes have no others.
 */
export async function* listMinute(
  db: Pick<Db, 'query'>,
  minute: number,
  from: OutboxPlace | undefined,
): AsyncGenerator<OutboxPage> {
  const shards = Array.from({ length: OUTBOX_SHARDS }, (_, shard) => shard);
  const left = shards.filter((shard) => shard >= (from?.shard ?? 0));
  const lists = left.map((shard) =>
    listShard(db, minute, shard === from?.shard ? from : { shard }),
  );
  const begun = await Promise.all(lists.map(async (list) => ({ list, first: await list.next() })));
  for (const { list, first } of begun) {
    if (!first.done) yield first.value;
    yield* list;
  }
}

async function* listShard(
  db: Pick<Db, 'query'>,
  minute: number,
  { shard, sk: from }: Partial<OutboxPlace> & Pick<OutboxPlace, 'shard'>,
): AsyncGenerator<OutboxPage> {
  // '~' sorts behind every name of an event.
  const range = from === undefined ? {} : { sk: { from, to: '~' } };
  const query = { table: 'outbox', pk: minutePartition(minute, shard), ...range } as const;
  for await (const items of pagesOf(db, query)) {
    const events = items.flatMap(toEvents);
    const place = { shard, sk: String(items[0]?.sk) };
    if (items.length > 0) yield { events, unreadable: items.length - events.length, place };
  }
}
