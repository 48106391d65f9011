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
  /** How many webhooks in a row led to it; absent for none. */
  readonly hops?: number | undefined;
}

/** What the request that an event comes from has told of its own origin. */
export type Cause = Pick<OutboxEvent, 'traceparent' | 'hops'>;

/** An event as the outbox holds it, with what the relay has noted on it. */
export interface RelayedEvent extends OutboxEvent {
  /** Undefined until every matching endpoint has its message. */
  readonly relayedAtMs?: number | undefined;
  /** Ids of the endpoints that it went to. */
  readonly sentTo?: readonly string[] | undefined;
  /** Before it is relayed to all: the endpoints that have their message already. */
  readonly handedTo?: readonly string[] | undefined;
}

/** Where the delivery of an event to one endpoint may stand. */
export const DELIVERY_STATES = [
  'pending',
  'missing',
  'waiting',
  'inflight',
  'retrying',
  'held',
  'delivered',
  'exhausted',
  'uncertain',
  'expired',
  'cancelled',
] as const;

/** Where the delivery of an event to one endpoint stands. */
export interface DeliveryState {
  /** Undefined when there is none. */
  readonly deliveryId?: string | undefined;
  readonly endpointId: `end_${string}`;
  readonly status: (typeof DELIVERY_STATES)[number];
  readonly attempts: number;
  readonly nextAtMs?: number | undefined;
}

/** `order.*` fits every type that begins with `order.`, at any depth. */
export function fitsFilter(filter: string, type: string): boolean {
  return filter.endsWith('.*') ? type.startsWith(filter.slice(0, -1)) : filter === type;
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
