import { toInstant } from '../shared/wire.ts';

/** One webhook as one attempt sends it. */
export interface OutgoingWebhook {
  readonly eventId: string;
  readonly type: string;
  /** When the event happened. */
  readonly timestampMs: number;
  /** The payload as JSON text, which goes out byte for byte. */
  readonly dataJson: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** An earlier attempt ended without anybody knowing how. */
  readonly possibleDuplicate?: boolean | undefined;
  readonly traceparent?: string | undefined;
  /** How many webhooks in a row led to this one, which is the next. */
  readonly hops?: number | undefined;
  /** Whether a copy that may have arrived is sent again; as the endpoint has it if absent. */
  readonly onUnknown?: 'resend' | 'stop' | undefined;
  /** Asked right before the socket is written; false sends nothing. */
  readonly stillWanted?: (() => boolean) | undefined;
  /** Called when a second has passed without an answer. */
  readonly onSilence?: (() => void) | undefined;
}

/** The exact bytes that are signed and sent: `{ id, type, timestamp, data }`. */
export function webhookBody({ eventId, type, timestampMs, dataJson }: OutgoingWebhook): Uint8Array {
  const head = JSON.stringify({ id: eventId, type, timestamp: toInstant(timestampMs) });
  return new TextEncoder().encode(`${head.slice(0, -1)},"data":${dataJson}}`);
}

/** The headers of Standard Webhooks 1.0 and our own, but for the signature. */
export function webhookHeaders(webhook: OutgoingWebhook, sentAtSeconds: number) {
  return {
    'content-type': 'application/json',
    'user-agent': 'Tallyhook/1',
    'webhook-id': webhook.eventId,
    'webhook-timestamp': String(sentAtSeconds),
    'webhook-attempt': String(webhook.attempt),
    'webhook-hops': String((webhook.hops ?? 0) + 1),
    ...(webhook.possibleDuplicate && { 'webhook-possible-duplicate': '1' }),
    ...(webhook.traceparent !== undefined && { traceparent: webhook.traceparent }),
  };
}
