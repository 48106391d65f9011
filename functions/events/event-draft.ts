import { Problem } from '../shared/problem.ts';
import { KIB } from '../shared/units.ts';
import type { OutboxEvent } from './event.ts';

/** What somebody wants to be told. */
export interface EventWish {
  readonly type: string;
  /** The payload as JSON text. */
  readonly data: string;
  readonly occurredAtMs?: number | undefined;
  readonly endpointId?: string | undefined;
}

/** Where events come from, and when they were accepted. */
export interface EventOrigin {
  readonly tenantId: string;
  readonly traceparent: string | undefined;
  readonly hops: number;
  readonly nowMs: number;
}

const DATA_BYTES_MAX = 64 * KIB;

/** Refuses with `payload_too_large` the event at this place of the body. */
export function assertDataFits({ data }: EventWish, pointer = ''): void {
  if (Buffer.byteLength(data) <= DATA_BYTES_MAX) return;
  const detail = 'The data of an event may have 64 KB.';
  const errors = [{ pointer: `${pointer}/data`, code: 'too_large', detail }];
  throw new Problem('payload_too_large', { detail, errors });
}

/** The event that a wish becomes. */
export function draftEvent(
  id: OutboxEvent['id'],
  wish: EventWish,
  { tenantId, traceparent, hops, nowMs }: EventOrigin,
): OutboxEvent {
  const { type, data, occurredAtMs = nowMs, endpointId: to } = wish;
  return { id, tenantId, type, occurredAtMs, data, to, traceparent, hops };
}
