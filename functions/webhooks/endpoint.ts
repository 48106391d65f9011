/** A receiver of a tenant: where its webhooks go, which ones, and how hard to try. */
export interface Endpoint {
  readonly id: `end_${string}`;
  readonly tenantId: string;
  /** As the guarded sender normalised it; judged again at every attempt. */
  readonly url: string;
  /** Types and `prefix.*` filters. Undefined: every type but those that must be named. */
  readonly eventTypes?: readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly status: EndpointStatus;
  readonly retry: RetryPlan;
  /** The whole attempt, from the first DNS question to the last byte. */
  readonly timeoutMs: number;
  /** Whether an attempt whose outcome nobody knows is sent again or left to a person. */
  readonly onUnknown: 'resend' | 'stop';
  /** The limit of the receiver; undefined means none. */
  readonly perSecond?: number | undefined;
  /** Encrypted with the master key, the newest first. */
  readonly sealedSecrets: readonly string[];
  readonly createdAtMs: number;
  /** Of the request that made it, when that had an Idempotency-Key. */
  readonly fingerprint?: string | undefined;
}

/** Paused endpoints hold what they get; disabled ones get nothing. */
export type EndpointStatus = 'active' | 'paused' | 'disabled';

export interface RetryPlan {
  readonly maxAttempts: number;
  /** Seconds after the previous attempt; the last one repeats. Undefined: the default. */
  readonly scheduleSeconds?: readonly number[] | undefined;
}

/** What an endpoint needs to know of an event to want it. */
export interface Addressed {
  readonly type: string;
  /** Goes to this endpoint only. */
  readonly to?: string | undefined;
  /** The endpoint that the event complains about, which never hears of it. */
  readonly about?: string | undefined;
}

/** These go only to endpoints that name them, so that trouble does not make more trouble. */
const ONLY_IF_NAMED = new Set(['delivery.exhausted', 'endpoint.disabled']);

/** Whether an event goes to this endpoint. A disabled endpoint gets nothing. */
export function wants(endpoint: Endpoint, { type, to, about }: Addressed): boolean {
  if (endpoint.status === 'disabled' || endpoint.id === about) return false;
  if (to !== undefined) return endpoint.id === to;
  if (endpoint.eventTypes === undefined) return !ONLY_IF_NAMED.has(type);
  return endpoint.eventTypes.some((filter) => fits(filter, type));
}

/** `transaction.*` fits every type that begins with `transaction.`, at any depth. */
function fits(filter: string, type: string): boolean {
  return filter.endsWith('.*') ? type.startsWith(filter.slice(0, -1)) : filter === type;
}

/** Whether the exhaustion of a delivery of this type is an event of its own. */
export function isReportable(type: string): boolean {
  return !ONLY_IF_NAMED.has(type);
}

/** What a sealed secret is bound to, so that it opens for no other endpoint. */
export function secretContext({ tenantId, id }: Pick<Endpoint, 'tenantId' | 'id'>): string {
  return `${tenantId}#${id}#secret`;
}
