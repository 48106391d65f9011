import { findEvent } from '../events/event.store.ts';
import type { World } from '../shared/world.ts';
import type { AlertSource, Delivery } from './delivery.ts';
import { type Payload, payloadOf } from './delivery-message.ts';
import type { DeliveryName } from './delivery-name.ts';

/**
 * What a delivery sends, for a message that does not carry it: the event of the outbox, or the
 * alert's bytes in the bucket. Undefined when the event or the object is no more. Throws when the
 * object is not what it was.
 */
export async function readPayload(
  { bucket, db }: Pick<World, 'bucket' | 'db'>,
  name: DeliveryName,
  row: Delivery | undefined,
): Promise<Payload | undefined> {
  if (row?.alert) return readAlert(bucket, row.eventType, row.alert);
  const event = await findEvent(db, name.tenantId, name.eventId);
  return event && payloadOf(event);
}

async function readAlert(
  bucket: World['bucket'],
  type: string,
  { bodyRef, timestampMs, traceparent, hops }: AlertSource,
): Promise<Payload | undefined> {
  const { key, start, end } = bodyRef;
  const chunks = await bucket.read(key, { start, end });
  if (!chunks) return undefined;
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const bytes = Buffer.concat(parts);
  if (bytes.length !== end - start) throw new Error(`object ${key} is shorter than ${end}`);
  return { type, timestampMs, dataJson: bytes.toString('utf8'), traceparent, hops };
}
