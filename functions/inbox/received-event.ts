import type { OutboxEvent } from '../events/event.ts';
import { KIB } from '../shared/units.ts';
import type { Receipt } from './receipt.ts';

/** A longer body stays where it is, and the event says where. */
const BODY_BYTES_MAX = 48 * KIB;
/** The bound of every event: text that JSON has to escape may grow. */
const DATA_BYTES_MAX = 64 * KIB;

/** Whether its body may go out within the event. */
export function needsBody({ bytes }: Pick<Receipt, 'bytes'>): boolean {
  return bytes <= BODY_BYTES_MAX;
}

/** The event as which a receipt goes on. `body` is absent where it is too long for one. */
export function receivedEvent(
  receipt: Receipt,
  body: Uint8Array | undefined,
  { eventId, nowMs }: { readonly eventId: OutboxEvent['id']; readonly nowMs: number },
): OutboxEvent {
  const { tenantId, forwardAs: type, traceparent, hops } = receipt;
  const data = dataOf(receipt, body && bodyFields(body));
  const isTooLong = Buffer.byteLength(data) > DATA_BYTES_MAX;
  return {
    ...{ id: eventId, tenantId, type, traceparent, hops },
    occurredAtMs: nowMs,
    data: isTooLong ? dataOf(receipt, undefined) : data,
  };
}

function dataOf(receipt: Receipt, body: object | undefined): string {
  const { id: receiptId, sourceId, contentType, headers, replayOf } = receipt;
  const shown = body ?? placeFields(receipt);
  return JSON.stringify({ receiptId, sourceId, contentType, headers, ...shown, replayOf });
}

/** Text as text, and what is none as it is. */
function bodyFields(body: Uint8Array): object {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body) };
  } catch {
    return { bodyBase64: Buffer.from(body).toString('base64') };
  }
}

function placeFields({ id, sha256, bytes }: Receipt): object {
  return {
    bodyUrl: `/v1/webhooks/${id}/body`,
    bodySha256: Buffer.from(sha256, 'base64url').toString('hex'),
    bodyBytes: bytes,
  };
}
