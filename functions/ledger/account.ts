import { createHash } from 'node:crypto';
import { BALANCE_MAX, formatMinor } from '../shared/money.ts';
import { Problem } from '../shared/problem.ts';

/** The tenant's counter-account: money comes from it and goes to it. It has no balance item. */
export const WORLD = '@world';

export const ACCOUNT_STATUSES = ['active', 'frozen', 'closed'] as const;

export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/**
 * `limited`: every posting rewrites its balance, within its limits. `derived`: it has entries and
 * no stored balance, so that it is never contended; its balance is the sum of its entries.
 */
export type AccountMode = 'limited' | 'derived';

/** What every posting rewrites, in minor units of one currency. */
export interface Account {
  readonly id: `acc_${string}`;
  readonly tenantId: string;
  readonly currency: string;
  readonly mode: AccountMode;
  /** Sums of all credits and of all debits. */
  readonly credits: bigint;
  readonly debits: bigint;
  /** Set aside by pending holds. */
  readonly held: bigint;
  /** The balance less holds never goes below this; null is no floor. */
  readonly minBalance: bigint | null;
  /** The balance never goes above this; null is no ceiling. */
  readonly maxBalance: bigint | null;
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
  /** Rises by one with each change. */
  readonly revision?: number | undefined;
}

/**
 * One account's share of a transaction, or of a movement of a hold, whose amount is 0. The legs of
 * a transaction sum to zero per currency.
 */
export interface Leg {
  /** An account, or `@world`. */
  readonly accountId: string;
  readonly currency: string;
  /** Positive is a credit. */
  readonly amount: bigint;
  /** This and what follows: of limited accounts only. */
  readonly seq?: number | undefined;
  readonly balanceAfter?: bigint | undefined;
  readonly heldAfter?: bigint | undefined;
  readonly availableAfter?: bigint | undefined;
  readonly hash?: string | undefined;
}

/** What happens to one account: money in or out, and money set aside or let go. */
export interface Movement {
  readonly amount: bigint;
  /** Positive sets aside. */
  readonly held?: bigint;
}

type Terms = 'id' | 'tenantId' | 'currency' | 'mode' | 'minBalance' | 'maxBalance';

/** An account at its beginning: active, empty, and without history. */
export function openAccount(terms: Pick<Account, Terms>, nowMs: number): Account {
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

/** What may still come in; null is any amount. */
export function roomOf(account: Account): bigint | null {
  return account.maxBalance === null ? null : account.maxBalance - balanceOf(account);
}

/**
 * The account after one more entry, and the leg that tells of it. `sourceId` is the transaction or
 * hold that moves it. It moves whatever it is told to: `assertWithinLimits` says whether it may.
 */
export function moveAccount(
  account: Account,
  { amount, held = 0n }: Movement,
  { sourceId, atMs }: { readonly sourceId: string; readonly atMs: number },
): { account: Account; leg: Leg } {
  const moved = {
    ...account,
    credits: account.credits + (amount > 0n ? amount : 0n),
    debits: account.debits + (amount < 0n ? -amount : 0n),
    held: account.held + held,
    seq: account.seq + 1,
    lastLegMs: atMs,
  };
  const entry = {
    accountId: account.id,
    currency: account.currency,
    amount,
    seq: moved.seq,
    balanceAfter: balanceOf(moved),
    heldAfter: moved.held,
    availableAfter: availableOf(moved),
  };
  const hash = chainHash(account.hash, { ...entry, sourceId });
  return { account: { ...moved, hash }, leg: { ...entry, hash } };
}

/**
 * Refuses with `insufficient_funds` a movement that takes more than was available, and with
 * `limit_exceeded` one that brings more than there is room for. Details show whole units, such as
 * `12.34 EUR`.
 */
export function assertWithinLimits(before: Account, after: Account): void {
  const show = (minor: bigint) => formatMinor(minor, before.currency);
  const taken = availableOf(before) - availableOf(after);
  if (before.minBalance !== null && taken > 0n && availableOf(after) < 0n) {
    const available = show(availableOf(before));
    throw new Problem('insufficient_funds', {
      detail: `${before.id} has ${available} available; ${show(taken)} was asked for.`,
    });
  }
  const brought = balanceOf(after) - balanceOf(before);
  const room = roomOf(before);
  if (room !== null && brought > 0n && brought > room) {
    throw new Problem('limit_exceeded', {
      detail: `${before.id} has room for ${show(room)}; ${show(brought)} would come in.`,
    });
  }
  if (magnitude(balanceOf(after)) > BALANCE_MAX) {
    throw new Problem('limit_exceeded', {
      detail: `The balance of ${before.id} would have more than 30 digits.`,
    });
  }
}

function magnitude(minor: bigint): bigint {
  return minor < 0n ? -minor : minor;
}

/** Refuses with `account_frozen`, `account_closed` or `currency_mismatch`. */
export function assertUsable({ id, status, currency }: Account, wanted: string): void {
  if (status === 'frozen') throw new Problem('account_frozen', { detail: `${id} is frozen.` });
  if (status === 'closed') throw new Problem('account_closed', { detail: `${id} is closed.` });
  if (currency !== wanted) {
    throw new Problem('currency_mismatch', { detail: `${id} is in ${currency}, not ${wanted}.` });
  }
}

/** Refuses with `not_available` what needs a stored balance. */
export function assertLimited({ id, mode }: Account, what: string): void {
  if (mode === 'limited') return;
  throw new Problem('not_available', {
    detail: `${id} is a derived account: it has no stored balance, and so no ${what}.`,
  });
}

/**
 * The next link of an account's hash chain. Whoever holds an old hash from an event can tell
 * whether anything before it was rewritten.
 */
export function chainHash(
  previous: string,
  { sourceId, seq, amount, balanceAfter, heldAfter }: Leg & { readonly sourceId: string },
): string {
  const text = [previous, sourceId, seq, amount, balanceAfter, heldAfter].join('\n');
  return createHash('sha256').update(text).digest('base64url');
}
