import { Problem, type ProblemCode } from '../shared/problem.ts';
import { type Account, availableOf, balanceOf, chainHash, type Leg, WORLD } from './account.ts';

export type TransactionType = 'credit' | 'debit' | 'transfer';

/**
 * A movement as it was asked for: `amount` minor units of `currency`, from source to destination.
 */
export interface TransactionDraft {
  readonly id: `txn_${string}`;
  readonly tenantId: string;
  readonly type: TransactionType;
  readonly sourceId: string;
  readonly destinationId: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly description?: string | undefined;
  readonly reference?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly fingerprint?: string | undefined;
  readonly traceparent?: string | undefined;
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

/** A journal entry: posted money, or the refusal of it. Never changed, never deleted. */
export interface Transaction extends TransactionDraft {
  readonly status: 'posted' | 'rejected';
  readonly createdAtMs: number;
  readonly legs: readonly Leg[];
  /** The event that was committed with it. */
  readonly eventId?: string | undefined;
  readonly refusal?: { readonly code: StoredRefusal; readonly detail: string } | undefined;
}

/** Whether a problem is one that the journal remembers. */
export function isStoredRefusal(code: ProblemCode): code is StoredRefusal {
  return STORED_REFUSALS.some((it) => it === code);
}

/** The accounts of a draft that have a balance item. */
export function accountIdsOf(draft: TransactionDraft): string[] {
  return [draft.sourceId, draft.destinationId].filter((it) => it !== WORLD);
}

/**
 * The draft's legs on the accounts as they are. Refuses with `same_account`, `currency_mismatch`,
 * `account_frozen`, `account_closed`, `insufficient_funds`. The transaction's time is never
 * before the last leg of an account that it touches, however the clocks differ.
 */
export function decideTransaction(
  draft: TransactionDraft,
  accounts: ReadonlyMap<string, Account>,
  nowMs: number,
): Transaction {
  if (draft.sourceId === draft.destinationId) throw new Problem('same_account');
  const touched = accountIdsOf(draft).map((id) => accountOf(accounts, id));
  for (const account of touched) assertUsable(account, draft.currency);

  const source = accounts.get(draft.sourceId);
  if (source) assertCovered(source, draft.amount);
  const createdAtMs = Math.max(nowMs, ...touched.map((it) => it.lastLegMs + 1));
  const legs = [
    legOf(draft, { accountId: draft.sourceId, amount: -draft.amount }, source),
    legOf(
      draft,
      { accountId: draft.destinationId, amount: draft.amount },
      accounts.get(draft.destinationId),
    ),
  ];
  return { ...draft, status: 'posted', createdAtMs, legs };
}

/** The refusal as the journal keeps it. */
export function rejectTransaction(
  draft: TransactionDraft,
  refusal: { readonly code: StoredRefusal; readonly detail: string },
  nowMs: number,
): Transaction {
  return { ...draft, status: 'rejected', createdAtMs: nowMs, legs: [], refusal };
}

function accountOf(accounts: ReadonlyMap<string, Account>, id: string): Account {
  const account = accounts.get(id);
  if (!account) throw new Error(`the caller has not read account ${id}`);
  return account;
}

function assertUsable({ id, status, currency }: Account, wanted: string): void {
  if (status === 'frozen') throw new Problem('account_frozen', { detail: `${id} is frozen.` });
  if (status === 'closed') throw new Problem('account_closed', { detail: `${id} is closed.` });
  if (currency !== wanted) {
    throw new Problem('currency_mismatch', { detail: `${id} is in ${currency}, not ${wanted}.` });
  }
}

function assertCovered(source: Account, amount: bigint): void {
  if (source.minBalance === null || availableOf(source) >= amount) return;
  throw new Problem('insufficient_funds', {
    detail: `${source.id} has ${availableOf(source)} available; ${amount} was asked for.`,
  });
}

function legOf(
  { id }: TransactionDraft,
  { accountId, amount }: { accountId: string; amount: bigint },
  account: Account | undefined,
): Leg {
  if (!account) return { accountId, amount };
  const seq = account.seq + 1;
  const balanceAfter = balanceOf(account) + amount;
  const hash = chainHash(account.hash, { transactionId: id, seq, amount }, balanceAfter);
  return { accountId, amount, seq, balanceAfter, hash };
}
