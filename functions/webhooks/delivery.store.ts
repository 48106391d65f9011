import * as z from 'zod';
import { DELIVERY_STATES } from '../events/event.ts';
import { known } from '../shared/form.ts';
import { shardOf } from '../shared/ids/derive.ts';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import { type Delivery, type DeliveryStatus, RETENTION_MS, type ReplayMark } from './delivery.ts';
import type { DeliveryName } from './delivery-name.ts';

/** How many partitions the deliveries of one endpoint are spread over. */
export const DELIVERY_SHARDS = 8;

/** These can be found by status: what waits or needs somebody's attention. */
export const OPEN_STATUSES = [
  'waiting',
  'retrying',
  'held',
  'exhausted',
  'uncertain',
  'expired',
] as const;

const SAMPLE_RETENTION_MS = 7 * DAY_MS;

const AttemptItem = z.object({
  n: z.number(),
  at: z.number(),
  outcome: z.enum(['delivered', 'failed', 'unknown']),
  status: z.number().optional(),
  ms: z.number().optional(),
  error: z
    .enum(['timeout', 'reset', 'refused', 'dns', 'tls', 'url_not_allowed', 'too_many_headers'])
    .optional(),
  nextAt: z.number().optional(),
  dup: z.boolean().optional(),
});

// Of these two nothing is stored.
const Status = z.enum(DELIVERY_STATES).exclude(['pending', 'missing']);

const ReplayItem = z.object({
  id: z.string(),
  status: Status,
  spent: z.number(),
  firstAt: z.number().optional(),
  reason: z.string().optional(),
});

/** Stored items are read tolerantly: an unknown field is a later release's. */
const DeliveryItem = z.object({
  pk: z.string(),
  sk: z.string(),
  type: z.string(),
  status: Status,
  seq: z.number(),
  spent: z.number(),
  token: z.string(),
  createdAt: z.number(),
  firstAt: z.number().optional(),
  claimedAt: z.number().optional(),
  lease: z.number().optional(),
  due: z.number().optional(),
  pv: z.number().optional(),
  urgent: z.literal(true).optional(),
  missed: z.number().optional(),
  fileRate: z.number().optional(),
  attempts: z.array(AttemptItem).default([]),
  unsure: z.boolean().default(false),
  replay: ReplayItem.optional(),
  reason: z.string().optional(),
  origin: z.object({ fileId: z.string(), block: z.number(), index: z.number() }).optional(),
  bodyRef: z.object({ key: z.string(), start: z.number(), end: z.number() }).optional(),
  timestamp: z.number().optional(),
  onUnknown: z.enum(['resend', 'stop']).optional(),
  traceparent: z.string().optional(),
  hops: z.number().optional(),
});

/** The partition of an endpoint's deliveries in which this shard lies. */
export function deliveryPartition(tenantId: string, endpointId: string, shard: number): string {
  return `${tenantId}#${endpointId}#${shard}`;
}

/** Where a delivery lies. */
export function deliveryKey({ tenantId, endpointId, eventId }: DeliveryName): Key {
  const shard = shardOf(eventId, DELIVERY_SHARDS);
  return { pk: deliveryPartition(tenantId, endpointId, shard), sk: eventId };
}

/** The delivery that lies there: `deliveryKey` backwards. */
export function nameOfKey({ pk, sk }: Key): DeliveryName {
  const [tenantId = '', endpointId = ''] = pk.split('#');
  return { tenantId, endpointId, eventId: sk };
}

/** The index partition of an endpoint's deliveries with this status. */
export function openPartition(
  { tenantId, endpointId }: Omit<DeliveryName, 'eventId'>,
  status: DeliveryStatus,
  shard: number,
): string {
  return `${tenantId}#${endpointId}#${status}#${shard}`;
}

/**
 * Stores the delivery as it is now. Refused when anybody has written since `seenToken` was read;
 * without one, when there is a record already. An update rather than a put, so that the fields of
 * a later release survive.
 */
export function saveDelivery(
  delivery: Delivery,
  seenToken: string | undefined,
  nowMs: number,
): Write {
  const fields = Object.entries(toFields(delivery, nowMs));
  const set = fields.filter(([, value]) => value !== undefined);
  const gone = fields.filter(([, value]) => value === undefined);
  const sets = set.map(([name]) => `#${name} = :${name}`).join(', ');
  const removes = gone.map(([name]) => `#${name}`).join(', ');
  const values = Object.fromEntries(set.map(([name, value]) => [`:${name}`, value]));
  return {
    kind: 'update',
    table: 'deliveries',
    key: deliveryKey(delivery),
    update: removes === '' ? `SET ${sets}` : `SET ${sets} REMOVE ${removes}`,
    condition: seenToken === undefined ? 'attribute_not_exists(pk)' : '#token = :seenToken',
    names: Object.fromEntries(fields.map(([name]) => [`#${name}`, name])),
    values: seenToken === undefined ? values : { ...values, ':seenToken': seenToken },
  };
}

/** All fields that we may write; an undefined one is removed from the item. */
function toFields(delivery: Delivery, nowMs: number) {
  const key = deliveryKey(delivery);
  const { dueMs, alert, replay } = delivery;
  const isOpen = (OPEN_STATUSES as readonly string[]).includes(delivery.status);
  const isNext = delivery.status === 'waiting' || delivery.status === 'retrying';
  const isPutOff = delivery.status === 'waiting' || delivery.status === 'held';
  const due = dueMs === undefined ? undefined : dueAttributes(key, dueMs, nowMs);
  const shard = shardOf(delivery.eventId, DELIVERY_SHARDS);
  return {
    v: 1,
    type: delivery.eventType,
    status: delivery.status,
    seq: delivery.seq,
    spent: delivery.spent,
    token: delivery.token,
    createdAt: delivery.createdAtMs,
    firstAt: delivery.firstAtMs,
    claimedAt: delivery.claimedAtMs,
    lease: delivery.leaseMs,
    due: dueMs,
    duePk: due?.duePk,
    dueSk: due?.dueSk,
    pv: storedVersion(delivery),
    urgent: isNext ? delivery.urgent : undefined,
    missed: isNext ? delivery.missed : undefined,
    fileRate: delivery.status === 'retrying' ? delivery.filePerSecond : undefined,
    openPk: isOpen ? openPartition(delivery, delivery.status, shard) : undefined,
    openSk: isOpen ? delivery.eventId : undefined,
    attempts: delivery.attempts.map(({ atMs, nextAtMs, possibleDuplicate, ...rest }) => ({
      ...rest,
      at: atMs,
      nextAt: nextAtMs,
      dup: possibleDuplicate,
    })),
    unsure: delivery.unsure || undefined,
    replay: isPutOff && replay ? toReplayItem(replay) : undefined,
    reason: delivery.reason,
    origin: alert?.origin,
    bodyRef: alert?.bodyRef,
    timestamp: alert?.timestampMs,
    onUnknown: alert?.onUnknown,
    traceparent: alert?.traceparent,
    hops: alert?.hops,
    ttl: Math.floor((delivery.createdAtMs + RETENTION_MS) / SECOND_MS),
  };
}

/** Left out is that of a pace that nothing has voided yet, but for what may have no slot. */
function storedVersion({ status, urgent, paceVersion }: Delivery): number | undefined {
  if (status === 'waiting') return paceVersion || undefined;
  return status === 'retrying' && urgent ? paceVersion : undefined;
}

function toReplayItem({ firstAtMs, ...rest }: ReplayMark) {
  return { ...rest, firstAt: firstAtMs };
}

function toReplayMark({ firstAt, ...rest }: z.output<typeof ReplayItem>): ReplayMark {
  return { ...rest, firstAtMs: firstAt };
}

/** The delivery in a stored item. */
export function toDelivery(item: Item): Delivery {
  const stored = DeliveryItem.parse(known(item));
  const { origin, bodyRef, timestamp: timestampMs = 0, replay } = stored;
  const { onUnknown, traceparent, hops } = stored;
  return {
    ...nameOfKey(stored),
    eventType: stored.type,
    status: stored.status,
    seq: stored.seq,
    spent: stored.spent,
    token: stored.token,
    createdAtMs: stored.createdAt,
    firstAtMs: stored.firstAt,
    claimedAtMs: stored.claimedAt,
    leaseMs: stored.lease,
    dueMs: stored.due,
    paceVersion: stored.pv,
    urgent: stored.urgent,
    missed: stored.missed,
    filePerSecond: stored.fileRate,
    attempts: stored.attempts.map(({ at, nextAt, dup, ...rest }) => ({
      ...rest,
      atMs: at,
      nextAtMs: nextAt,
      possibleDuplicate: dup,
    })),
    unsure: stored.unsure,
    replay: replay && toReplayMark(replay),
    reason: stored.reason,
    ...(origin &&
      bodyRef && { alert: { origin, bodyRef, timestampMs, onUnknown, traceparent, hops } }),
  };
}

/** Undefined when there is no record of it. */
export async function findDelivery(
  db: Pick<Db, 'get'>,
  name: DeliveryName,
): Promise<Delivery | undefined> {
  const item = await db.get('deliveries', deliveryKey(name));
  return item && toDelivery(item);
}

/** What is on record of each of these, in their order. */
export async function findDeliveries(
  db: Pick<Db, 'getAll'>,
  names: readonly DeliveryName[],
): Promise<(Delivery | undefined)[]> {
  const keys = names.map((name) => ({ table: 'deliveries' as const, ...deliveryKey(name) }));
  const items = await db.getAll(keys);
  return items.map((item) => item && toDelivery(item));
}

/** Keeps the beginning of what a receiver answered to one failed attempt, for a week. */
export function insertSample(delivery: Delivery, sample: string, nowMs: number): Write {
  const { pk, sk } = deliveryKey(delivery);
  return {
    kind: 'put',
    table: 'deliveries',
    item: {
      pk,
      sk: `${sk}#F${delivery.seq}`,
      v: 1,
      n: delivery.seq,
      sample,
      ttl: Math.floor((nowMs + SAMPLE_RETENTION_MS) / SECOND_MS),
    },
  };
}

const SampleItem = z.object({ n: z.number(), sample: z.string() });

/** What the receiver answered, by the number of the attempt. */
export async function findSamples(
  db: Pick<Db, 'query'>,
  name: DeliveryName,
): Promise<ReadonlyMap<number, string>> {
  const { pk, sk } = deliveryKey(name);
  const page = await db.query({ table: 'deliveries', pk, sk: { prefix: `${sk}#F` } });
  const samples = page.items.map((item) => SampleItem.parse(item));
  return new Map(samples.map(({ n, sample }) => [n, sample]));
}
