import type { OutboxEvent } from '../events/event.ts';
import { KIB, MINUTE_MS } from '../shared/units.ts';
import type { Message } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { deliveryId } from './delivery-name.ts';
import type { Slot } from './pace.ts';
import { slotOf } from './waiting.ts';

/** What is sent: a payload with what stands around it on the wire. */
export interface Payload {
  readonly type: string;
  readonly timestampMs: number;
  /** JSON text. */
  readonly dataJson: string;
  readonly traceparent?: string | undefined;
  /** How many webhooks in a row led to it. */
  readonly hops?: number | undefined;
}

/** A larger payload is read again from the outbox, so that ten messages fit into one call. */
const INLINE_BYTES_MAX = 48 * KIB;

/** A message can wait for 15 minutes at most; what is due later has a record instead. */
export const MESSAGE_AHEAD_MS_MAX = 14 * MINUTE_MS;

/** The payload of an event. */
export function payloadOf(event: OutboxEvent): Payload {
  const { type, occurredAtMs, data, traceparent, hops } = event;
  return { type, timestampMs: occurredAtMs, dataJson: data, traceparent, hops };
}

/** What tells a first attempt that it may have to change to the lane of slow endpoints. */
const FAST = { lane: 'fast' } as const;

/**
 * Asks for the first attempt: in the fast lane, where tenants are kept apart from each other, or in
 * the slow one, where endpoints are.
 */
export function firstMessage(
  event: OutboxEvent,
  to: { readonly id: string; readonly isSlow?: boolean | undefined },
  slot?: Slot,
): Message {
  const { dataJson, ...around } = payloadOf(event);
  const isSmall = Buffer.byteLength(dataJson) <= INLINE_BYTES_MAX;
  const body = isSmall ? { ...around, data: dataJson } : undefined;
  return {
    body: {
      v: 1,
      tenant: event.tenantId,
      endpoint: to.id,
      event: event.id,
      seq: 1,
      ...(!to.isSlow && FAST),
      ...slotFields(slot),
      body,
    },
    ...(slot && { atMs: slot.atMs }),
    group: to.isSlow ? to.id : event.tenantId,
  };
}

/** Asks for the next attempt at the time when it is due, in the lane of the endpoint. */
export function nextMessage(delivery: Delivery): Message {
  const { tenantId, endpointId, eventId, seq, dueMs } = delivery;
  return {
    body: {
      v: 1,
      tenant: tenantId,
      endpoint: endpointId,
      event: eventId,
      seq: seq + 1,
      ...slotFields(slotOf(delivery)),
    },
    ...(dueMs !== undefined && { atMs: dueMs }),
    group: endpointId,
  };
}

/** The version of a pace that nothing has voided yet is left out. */
function slotFields(slot: Slot | undefined) {
  return { slot: slot?.atMs, pv: slot?.version || undefined };
}

/** Asks somebody to look at a first attempt whose worker seems to have died, in the same lane. */
export function sameMessage({ tenantId, endpointId, eventId, seq }: Delivery): Message {
  const body = { v: 1, tenant: tenantId, endpoint: endpointId, event: eventId, seq, ...FAST };
  return { body, group: tenantId };
}

/** Tells the room of files that one of its alerts has come to an end. */
export function settledMessage(delivery: Delivery): Message | undefined {
  const { origin } = delivery.alert ?? {};
  if (!origin) return undefined;
  const { fileId, block, index } = origin;
  const { tenantId } = delivery;
  const named = { file: fileId, block, index, delivery: deliveryId(delivery) };
  return { body: { v: 1, tenant: tenantId, ...named }, group: tenantId };
}
