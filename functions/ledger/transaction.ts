import { add, formatMinor, negate } from '../shared/money.ts';
import { Problem, type ProblemCode, type ProblemError } from '../shared/problem.ts';
import {
  type Account,
  assertLimited,
  assertUsable,
  assertWithinLimits,
  availableOf,
  type Leg,
  type Movement,
  moveAccount,
  WORLD,
} from './account.ts';

/** A `hold` is in the journal only when it was refused; else it is a hold of its own. */
export const TRANSACTION_TYPES = [
  'credit',
  'debit',
  'transfer',
  'journal',
  'reversal',
  'capture',
  'hold',
] as const;

export type TransactionType = (typeof TRANSACTION_TYPES)[number];

/** `amount` minor units of `currency`, from source to destination. */
export interface Posting {
  readonly sourceId: string;
  readonly destinationId: string;
  readonly amount: bigint;
  readonly currency: string;
}

/** What must be true of an account when the transaction is posted. */
export interface Precondition {
  readonly accountId: string;
  readonly version?: number | undefined;
  readonly minAvailable?: bigint | undefined;
}

/** A movement of money as it was asked for. */
export interface TransactionDraft {
  readonly id: `txn_${string}`;
  readonly tenantId: string;
  readonly type: TransactionType;
  readonly postings: readonly Posting[];
  readonly preconditions?: readonly Precondition[] | undefined;
  readonly description?: string | undefined;
  readonly reference?: string | undefined;
  /** For reports and filters only, in milliseconds since 1970. */
  readonly effectiveAtMs?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** The transaction that this one takes back. */
  readonly reverses?: `txn_${string}` | undefined;
  /** The hold that this one captures. */
  readonly holdId?: `hld_${string}` | undefined;
  /** Ids of all transactions of an atomic batch, at the first one. */
  readonly batch?: readonly string[] | undefined;
  readonly fingerprint?: string | undefined;
  readonly traceparent?: string | undefined;
  /** How many webhooks in a row led to it. */
  readonly hops?: number | undefined;
}

/** The refusals that are remembered under the Idempotency-Key, as a success would be. */
export const STORED_REFUSALS = [
  'insufficient_funds',
  'limit_exceeded',
  'account_frozen',
  'account_closed',
  'currency_mismatch',
] as const satisfies readonly ProblemCode[];

export type StoredRefusal = (typeof STORED_REFUSALS)[number];

/** Why the journal refused, as it will be answered for ever. */
export interface Refusal {
  readonly code: StoredRefusal;
  readonly detail: string;
  readonly errors?: readonly ProblemError[] | undefined;
}

/** A journal entry: posted money, or the refusal of it. Never changed, never deleted. */
export interface Transaction extends Omit<TransactionDraft, 'preconditions'> {
  readonly status: 'posted' | 'rejected';
  readonly createdAtMs: number;
  readonly legs: readonly Leg[];
  /** The event that was committed with it. */
  readonly eventId?: string | undefined;
  readonly refusal?: Refusal | undefined;
}

/** Accounts by id, as they are or as they will be after a decision. */
export type Books = ReadonlyMap<string, Account>;

/** What a decision is made on. */
export interface Moment {
  readonly books: Books;
  readonly nowMs: number;
}

/** A decision: the transaction, and its accounts as they are after it. */
export interface Decision {
  readonly transaction: Transaction;
  readonly books: Books;
}

/** The refusal that the journal remembers, if the error is one. */
export function storedRefusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Problem)) return undefined;
  const code = STORED_REFUSALS.find((it) => it === error.code);
  return code && { code, detail: error.message, errors: error.facts.errors };
}

/** The accounts of a draft that have an item, those of its preconditions included. */
export function accountIdsOf({ postings, preconditions = [] }: TransactionDraft): string[] {
  const ids = [
    ...postings.flatMap((it) => [it.sourceId, it.destinationId]),
    ...preconditions.map((it) => it.accountId),
  ];
  return [...new Set(ids)].filter((it) => it !== WORLD);
}

/**
 * The draft's legs on the accounts as they are: one per account, judged by its net. Refuses with
 * `same_account`, `precondition_failed`, `currency_mismatch`, `account_frozen`, `account_closed`,
 * `insufficient_funds`, `limit_exceeded`. The transaction's time is never before the last leg of
 * an account that it touches, however the clocks differ.
 */
export function decideTransaction(draft: TransactionDraft, books: Books, nowMs: number): Decision {
  for (const [index, posting] of draft.postings.entries()) assertTwoSides(draft, posting, index);
  for (const [index, it] of (draft.preconditions ?? []).entries()) {
    assertPrecondition(it, accountOf(books, it.accountId), index);
  }
  return postMovements(draft, netOf(draft.postings), { books, nowMs });
}

/** Money of one currency that moves on one account. */
export interface AccountMovement extends Movement {
  readonly accountId: string;
  readonly currency: string;
}

/**
 * Moves the accounts as told, in one transaction. Refuses like `decideTransaction`, of which this
 * is the last step; a capture comes here at once, because it also lets go what was held.
 */
export function postMovements(
  draft: TransactionDraft,
  movements: readonly AccountMovement[],
  { books, nowMs }: Moment,
): Decision {
  const touched = movements
    .filter((it) => it.accountId !== WORLD)
    .map((it) => ({ ...it, account: accountOf(books, it.accountId) }));
  for (const { account, currency } of touched) assertUsable(account, currency);

  const limited = touched.map((it) => it.account).filter((it) => it.mode === 'limited');
  const createdAtMs = Math.max(nowMs, ...limited.map((it) => it.lastLegMs + 1));
  const after = new Map(books);
  const legs = movements.map((movement): Leg => {
    const { accountId, currency, amount } = movement;
    const account = books.get(accountId);
    if (account?.mode !== 'limited') return { accountId, currency, amount };
    const moved = moveAccount(account, movement, { sourceId: draft.id, atMs: createdAtMs });
    assertWithinLimits(account, moved.account);
    after.set(accountId, moved.account);
    return moved.leg;
  });
  const { preconditions: _judged, ...asked } = draft;
  return { transaction: { ...asked, status: 'posted', createdAtMs, legs }, books: after };
}

/** The refusal as the journal keeps it. */
export function rejectTransaction(
  { preconditions: _judged, ...asked }: TransactionDraft,
  refusal: Refusal,
  nowMs: number,
): Transaction {
  return { ...asked, status: 'rejected', createdAtMs: nowMs, legs: [], refusal };
}

/** What would take the transaction back: the same postings with their sides exchanged. */
export function reversedPostings({ postings }: Pick<Transaction, 'postings'>): Posting[] {
  return postings.map((it) => ({
    ...it,
    sourceId: it.destinationId,
    destinationId: it.sourceId,
  }));
}

/** One movement per account and currency, in the order in which the postings name them. */
function netOf(postings: readonly Posting[]): AccountMovement[] {
  const net = new Map<string, AccountMovement>();
  for (const { sourceId, destinationId, amount, currency } of postings) {
    const money = { amount, currency };
    for (const [accountId, change] of [
      [sourceId, negate(money)],
      [destinationId, money],
    ] as const) {
      const name = `${accountId} ${currency}`;
      const before = net.get(name);
      net.set(name, { accountId, ...(before ? add(before, change) : change) });
    }
  }
  return [...net.values()];
}

/** An account that the caller has read; any other one is a bug of the caller. */
export function accountOf(books: Books, id: string): Account {
  const account = books.get(id);
  if (!account) throw new Error(`the caller has not read account ${id}`);
  return account;
}

function assertTwoSides({ type }: TransactionDraft, posting: Posting, index: number): void {
  if (posting.sourceId !== posting.destinationId) return;
  const detail = `${posting.sourceId} is both source and destination.`;
  const place = type === 'journal' ? `/postings/${index}` : '';
  const pointer = `${place}/destinationAccountId`;
  throw new Problem('same_account', { detail, errors: [{ pointer, code: 'same', detail }] });
}

function assertPrecondition(
  { version, minAvailable }: Precondition,
  account: Account,
  index: number,
): void {
  assertLimited(account, 'preconditions');
  const fail = (member: string, detail: string) =>
    new Problem('precondition_failed', {
      detail,
      errors: [{ pointer: `/preconditions/${index}/${member}`, code: 'failed', detail }],
    });
  if (version !== undefined && account.seq !== version) {
    throw fail('version', `${account.id} has version ${account.seq}, not ${version}.`);
  }
  if (minAvailable !== undefined && availableOf(account) < minAvailable) {
    const [has, wanted] = [availableOf(account), minAvailable].map((it) =>
      formatMinor(it, account.currency),
    );
    const detail = `${account.id} has ${has} available, not ${wanted}.`;
    throw fail('minAvailable', detail);
  }
}
