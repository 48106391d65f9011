import { fitsFilter } from '../events/event.ts';

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
  /** Why it is disabled. */
  readonly disabledReason?: DisabledReason | undefined;
  /** Its receiver keeps workers waiting, so that all its deliveries take the slow lane. */
  readonly slow?: true | undefined;
  /** While it is slow: since when. */
  readonly slowAtMs?: number | undefined;
  readonly retry: RetryPlan;
  /** The whole attempt, from the first DNS question to the last byte. */
  readonly timeoutMs: number;
  /** Whether an attempt whose outcome nobody knows is sent again or left to a person. */
  readonly onUnknown: 'resend' | 'stop';
  /** The limit of the receiver; undefined means none. */
  readonly perSecond?: number | undefined;
  /** The newest first. */
  readonly secrets: readonly SealedSecret[];
  /** Sent with every attempt, after those of our own. */
  readonly headers?: SealedHeaders | undefined;
  /** What a file for this endpoint says where its own request says nothing. */
  readonly fileDefaults?: FileDefaults | undefined;
  readonly createdAtMs: number;
  /** When the tenant changed it last; undefined: never. */
  readonly updatedAtMs?: number | undefined;
  /** Counts the changes of any field; undefined: none since it was made. */
  readonly revision?: number | undefined;
  /** Of the request that made it, when that had an Idempotency-Key. */
  readonly fingerprint?: string | undefined;
}

/** Paused endpoints hold what they get; disabled ones get nothing. */
export type EndpointStatus = 'active' | 'paused' | 'disabled';

/** Disabled by hand, by a 410 or `webhook-delivery: disable`, or after five days of failures. */
export type DisabledReason = 'by_tenant' | 'gone' | 'failing';

/** A signing secret, encrypted with the master key. */
export interface SealedSecret {
  readonly sealed: string;
  /** When it ends because a newer one took its place. */
  readonly untilMs?: number | undefined;
  /** The request with an Idempotency-Key that has made it. */
  readonly rotation?: Rotation | undefined;
}

/** A request for a new secret. */
export interface Rotation {
  /** Derived from its key. */
  readonly id: string;
  readonly fingerprint: string;
}

/** Headers of a tenant's own. Their values are secret; their lower-case names are not. */
export interface SealedHeaders {
  readonly names: readonly string[];
  /** `{ name: value }` as JSON, encrypted with the master key. */
  readonly sealed: string;
}

/** What files are sent with, each as POST /v1/files has it. */
export interface FileDefaults {
  readonly message?: string;
  readonly idColumn?: string | number;
  readonly eventType?: string;
  readonly ratePerSecond?: number;
  readonly onMalformed?: 'ask' | 'skip' | 'fail';
  readonly onUnknown?: 'resend' | 'stop';
}

export interface RetryPlan {
  readonly maxAttempts: number;
  /** Seconds after the previous attempt; the last one repeats. Undefined: the default. */
  readonly scheduleSeconds?: readonly number[] | undefined;
  /** The endpoint of a `test` tenant: it goes through the default a hundred times as fast. */
  readonly isTest?: true | undefined;
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
  return endpoint.eventTypes.some((filter) => fitsFilter(filter, type));
}

/** Whether the exhaustion of a delivery of this type is an event of its own. */
export function isReportable(type: string): boolean {
  return !ONLY_IF_NAMED.has(type);
}

/** The endpoint with another status. Who disables it says why; one that is disabled stays so. */
export function withStatus(
  endpoint: Endpoint,
  status: EndpointStatus,
  reason: DisabledReason = 'by_tenant',
): Endpoint {
  if (status === endpoint.status) return endpoint;
  return { ...endpoint, status, disabledReason: status === 'disabled' ? reason : undefined };
}

/** What a sealed secret is bound to, so that it opens for no other endpoint. */
export function secretContext({ tenantId, id }: Pick<Endpoint, 'tenantId' | 'id'>): string {
  return `${tenantId}#${id}#secret`;
}

/** What the sealed headers of an endpoint are bound to. */
export function headersContext({ tenantId, id }: Pick<Endpoint, 'tenantId' | 'id'>): string {
  return `${tenantId}#${id}#headers`;
}
