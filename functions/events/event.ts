/** A fact that was committed, on its way to every endpoint that wants it. */
export interface OutboxEvent {
  readonly id: `evt_${string}`;
  readonly tenantId: string;
  readonly type: string;
  /** When it happened, in milliseconds since 1970; the `timestamp` on the wire. */
  readonly occurredAtMs: number;
  /** The payload as JSON text, delivered byte for byte. At most 64 KB. */
  readonly data: string;
  /** Goes to this endpoint only, whatever its filter says. */
  readonly to?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** An event as the outbox holds it, with what the relay has noted on it. */
export interface RelayedEvent extends OutboxEvent {
  /** Undefined until every matching endpoint has its message. */
  readonly relayedAtMs?: number | undefined;
  /** Ids of the endpoints that it went to. */
  readonly sentTo?: readonly string[] | undefined;
}

/** Types that only Tallyhook itself emits: a tenant's own events may not look like them. */
const RESERVED = [
  'account',
  'transaction',
  'hold',
  'file',
  'task',
  'inbox',
  'endpoint',
  'delivery',
  'alert',
];

/** Whether a tenant may not use this event type for its own events. */
export function isReservedType(type: string): boolean {
  const [head = ''] = type.split('.');
  return head === 'alert' ? type === 'alert' : RESERVED.includes(head) && type.includes('.');
}
