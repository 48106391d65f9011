/** What all requests and keys of a tenant keep to. */
export interface TenantLimits {
  /** The highest rate that one of its keys may have; what a key without its own limit has. */
  readonly requestsPerSecond: number;
  /** The highest burst that one of its keys may have. */
  readonly burst: number;
  /** How many endpoints it may have. */
  readonly endpoints: number;
  /** How many events it may send through the API in a day, UTC; undefined: as many as it likes. */
  readonly dailyEvents?: number | undefined;
}

/** How the API treats a tenant. */
export interface TenantSettings {
  /** Whether every creation needs an Idempotency-Key, and not only those that move money. */
  readonly requireIdempotencyKeys: boolean;
}

/** An organisation whose data is kept apart from everybody else's. */
export interface Tenant {
  readonly id: `ten_${string}`;
  readonly name: string;
  /** `test` tenants get keys that say so. */
  readonly mode: 'live' | 'test';
  readonly limits: TenantLimits;
  readonly settings: TenantSettings;
  readonly createdAtMs: number;
  readonly fingerprint?: string | undefined;
}

/** The largest limits that a tenant may have, by which their schema is bounded as well. */
export const LIMITS_MAX = {
  requestsPerSecond: 10_000,
  burst: 20_000,
  endpoints: 1_000,
  dailyEvents: 1_000_000_000,
} as const satisfies TenantLimits;

/** Some of the limits, as somebody asks for them. */
export type AskedLimits = {
  readonly [Name in Exclude<keyof TenantLimits, 'dailyEvents'>]?: number | undefined;
} & {
  /** `null` is none any more. */
  readonly dailyEvents?: number | null | undefined;
};

const REQUESTS_PER_SECOND = 100;

/** The limits as they were asked for: without a burst it is that of two seconds. */
export function limitsOf(asked: AskedLimits): TenantLimits {
  const { requestsPerSecond = REQUESTS_PER_SECOND, burst = 2 * requestsPerSecond } = asked;
  const { endpoints = LIMITS_MAX.endpoints, dailyEvents } = asked;
  return { requestsPerSecond, burst, endpoints, dailyEvents: dailyEvents ?? undefined };
}
