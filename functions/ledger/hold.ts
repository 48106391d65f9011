import { formatMinor } from '../shared/money.ts';
import { Problem } from '../shared/problem.ts';
import { toInstant } from '../shared/wire.ts';
import {
  type Account,
  assertLimited,
  assertUsable,
  assertWithinLimits,
  type Leg,
  moveAccount,
} from './account.ts';
import {
  accountOf,
  type Books,
  type Decision,
  type Moment,
  type Posting,
  postMovements,
  type Transaction,
  type TransactionDraft,
} from './transaction.ts';

/** All but the first are final. */
export const HOLD_STATUSES = ['pending', 'captured', 'voided', 'expired'] as const;

export type HoldStatus = (typeof HOLD_STATUSES)[number];

/** Money that is set aside on an account until it is captured, voided, or expires. */
export interface Hold {
  readonly id: `hld_${string}`;
  readonly tenantId: string;
  readonly accountId: Account['id'];
  readonly amount: bigint;
  readonly currency: string;
  /** Where a capture sends it, unless the capture says so. */
  readonly destinationId?: string | undefined;
  readonly status: HoldStatus;
  readonly createdAtMs: number;
  readonly expiresAtMs?: number | undefined;
  readonly capturedAmount?: bigint | undefined;
  /** The transaction that captured it. */
  readonly transactionId?: Transaction['id'] | undefined;
  /** The record of its void or expiry. */
  readonly releaseId?: Release['id'] | undefined;
  readonly resolvedAtMs?: number | undefined;
  readonly description?: string | undefined;
  readonly reference?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** What its creation did to the account. */
  readonly leg: Leg;
  /** The event of its creation. */
  readonly eventId?: string | undefined;
  readonly fingerprint?: string | undefined;
  /** How many webhooks in a row led to it: its expiry tells of them as well. */
  readonly hops?: number | undefined;
}

/** A hold as it was asked for. */
export type HoldDraft = Omit<
  Hold,
  | ('status' | 'createdAtMs' | 'leg' | 'eventId')
  | ('capturedAmount' | 'transactionId' | 'releaseId' | 'resolvedAtMs')
>;

/**
 * Money was let go: the journal's record of a void or an expiry. It posts nothing; its leg has the
 * amount 0. `id` is derived from the Idempotency-Key, or from the hold for an expiry.
 */
export interface Release {
  readonly id: `rel_${string}`;
  readonly tenantId: string;
  readonly holdId: Hold['id'];
  readonly status: 'voided' | 'expired';
  readonly createdAtMs: number;
  readonly leg: Leg;
  readonly eventId?: string | undefined;
  readonly fingerprint?: string | undefined;
}

/**
 * Sets the money aside. Refuses with `not_available` for a derived account, and like a debit of
 * the same amount.
 */
export function openHold(
  draft: HoldDraft,
  books: Books,
  nowMs: number,
): { hold: Hold; books: Books } {
  const account = accountOf(books, draft.accountId);
  assertLimited(account, 'holds');
  assertUsable(account, draft.currency);
  assertReachable(draft, books);
  const createdAtMs = Math.max(nowMs, account.lastLegMs + 1);
  const movement = { amount: 0n, held: draft.amount };
  const moved = moveAccount(account, movement, { sourceId: draft.id, atMs: createdAtMs });
  assertWithinLimits(account, moved.account);
  return {
    hold: { ...draft, status: 'pending', createdAtMs, leg: moved.leg },
    books: new Map([...books, [account.id, moved.account]]),
  };
}

/** Whatever the status of the destination may be by then: no capture changes its currency. */
function assertReachable({ destinationId = '', currency }: HoldDraft, books: Books): void {
  const destination = books.get(destinationId);
  if (!destination || destination.currency === currency) return;
  throw new Problem('currency_mismatch', {
    detail: `${destinationId} is in ${destination.currency}, not ${currency}.`,
  });
}

/** One posting, from the account of the hold; none where nobody has named a destination. */
export interface CaptureDraft extends TransactionDraft {
  readonly type: 'capture';
}

/**
 * Posts what is captured and lets the rest go. Refuses with `hold_resolved`, then with
 * `validation_failed` and `same_account` a destination that it cannot have, with `limit_exceeded`
 * for more than is held, and like a transfer; the money itself was set aside before.
 */
export function captureMoney(
  hold: Hold,
  draft: CaptureDraft,
  moment: Moment,
): Decision & { hold: Hold } {
  assertPending(hold, moment.nowMs);
  const posting = postingTo(hold, draft);
  const show = (minor: bigint) => formatMinor(minor, hold.currency);
  if (posting.amount > hold.amount) {
    throw new Problem('limit_exceeded', {
      detail: `${hold.id} holds ${show(hold.amount)}; ${show(posting.amount)} was to be captured.`,
    });
  }
  const { destinationId, amount, currency } = posting;
  const decision = postMovements(
    draft,
    [
      { accountId: hold.accountId, currency, amount: -amount, held: -hold.amount },
      { accountId: destinationId, currency, amount },
    ],
    moment,
  );
  const captured: Hold = {
    ...hold,
    status: 'captured',
    capturedAmount: amount,
    transactionId: draft.id,
    destinationId,
    resolvedAtMs: decision.transaction.createdAtMs,
  };
  return { ...decision, hold: captured };
}

/**
 * Lets all of it go, whatever the status of the account. Refuses with `hold_resolved`, and throws
 * when an expiry comes before its time.
 */
export function releaseMoney(
  hold: Hold,
  { id, status, fingerprint }: Pick<Release, 'id' | 'status' | 'fingerprint'>,
  { books, nowMs }: Moment,
): { hold: Hold; release: Release; books: Books } {
  const isDue = (hold.expiresAtMs ?? Infinity) <= nowMs;
  if (hold.status !== 'pending') throw resolved(hold);
  if (status === 'expired' && !isDue) throw new Error(`${hold.id} is not due`);
  const account = accountOf(books, hold.accountId);
  const createdAtMs = Math.max(nowMs, account.lastLegMs + 1);
  const movement = { amount: 0n, held: -hold.amount };
  const moved = moveAccount(account, movement, { sourceId: hold.id, atMs: createdAtMs });
  const { tenantId } = hold;
  return {
    hold: { ...hold, status, releaseId: id, resolvedAtMs: createdAtMs },
    release: { id, status, fingerprint, tenantId, holdId: hold.id, createdAtMs, leg: moved.leg },
    books: new Map([...books, [account.id, moved.account]]),
  };
}

function postingTo({ accountId, destinationId }: Hold, { postings }: CaptureDraft): Posting {
  const [posting] = postings;
  if (!posting) throw badDestination('is required: the hold names no destination');
  if (posting.destinationId === accountId) throw new Problem('same_account');
  if (destinationId === undefined || posting.destinationId === destinationId) return posting;
  throw badDestination('is not the destination that the hold names');
}

function badDestination(detail: string): Problem {
  const pointer = '/destinationAccountId';
  return new Problem('validation_failed', {
    detail: `${pointer}: ${detail}`,
    errors: [{ pointer, code: 'invalid', detail }],
  });
}

/** A hold cannot be captured any more at its `expiresAt`, however late it is let go. */
function assertPending(hold: Hold, nowMs: number): void {
  if (hold.status !== 'pending') throw resolved(hold);
  if (hold.expiresAtMs === undefined || hold.expiresAtMs > nowMs) return;
  throw new Problem('hold_resolved', {
    detail: `${hold.id} has expired at ${toInstant(hold.expiresAtMs)}.`,
  });
}

function resolved({ id, status }: Hold): Problem {
  return new Problem('hold_resolved', { detail: `${id} is ${status} already.` });
}
