import { createHash } from 'node:crypto';

/** The tenant's counter-account: money comes from it and goes to it. It has no balance item. */
export const WORLD = '@world';

export type AccountStatus = 'active' | 'frozen' | 'closed';

/** What every posting rewrites, in minor units of one currency. */
export interface Account {
  readonly id: `acc_${string}`;
  readonly tenantId: string;
  readonly currency: string;
  /** Sums of all credits and of all debits. */
  readonly credits: bigint;
  readonly debits: bigint;
  readonly held: bigint;
  /** The balance never goes below this; null is no floor. */
  readonly minBalance: bigint | null;
  /** Rises by one with each posting and hold movement. */
  readonly seq: number;
  /** Time of the last leg, in milliseconds since 1970. */
  readonly lastLegMs: number;
  /** Head of the hash chain over the account's legs. */
  readonly hash: string;
  readonly status: AccountStatus;
  readonly createdAtMs: number;
}

/** What people call the account; never touched by a posting. */
export interface AccountDetails {
  readonly name?: string | undefined;
  readonly externalId?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly fingerprint?: string | undefined;
}

/** One account's share of a transaction. The legs of a transaction sum to zero per currency. */
export interface Leg {
  /** An account, or `@world`, which has no seq, balance or hash. */
  readonly accountId: string;
  /** Positive is a credit. */
  readonly amount: bigint;
  readonly seq?: number | undefined;
  readonly balanceAfter?: bigint | undefined;
  readonly hash?: string | undefined;
}

/** An account at its beginning: active, empty, and without history. */
export function openAccount(
  terms: Pick<Account, 'id' | 'tenantId' | 'currency' | 'minBalance'>,
  nowMs: number,
): Account {
  return {
    ...terms,
    credits: 0n,
    debits: 0n,
    held: 0n,
    seq: 0,
    lastLegMs: nowMs,
    hash: '',
    status: 'active',
    createdAtMs: nowMs,
  };
}

/** The balance of an account: what came in less what went out. */
export function balanceOf({ credits, debits }: Pick<Account, 'credits' | 'debits'>): bigint {
  return credits - debits;
}

/** What may still be taken: the balance less holds, down to the floor. */
export function availableOf(account: Account): bigint {
  return balanceOf(account) - account.held - (account.minBalance ?? 0n);
}

/**
 * The next link of an account's hash chain. Whoever holds an old hash from an event can tell
 * whether anything before it was rewritten.
 */
export function chainHash(
  previous: string,
  leg: { readonly transactionId: string; readonly seq: number; readonly amount: bigint },
  balanceAfter: bigint,
): string {
  const text = [previous, leg.transactionId, leg.seq, leg.amount, balanceAfter].join('\n');
  return createHash('sha256').update(text).digest('base64url');
}
