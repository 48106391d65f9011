/** An organisation whose data is kept apart from everybody else's. */
export interface Tenant {
  readonly id: `ten_${string}`;
  readonly name: string;
  /** `test` tenants get keys that say so. */
  readonly mode: 'live' | 'test';
  readonly createdAtMs: number;
  readonly fingerprint?: string | undefined;
}
