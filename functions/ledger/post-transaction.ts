import { insertEvent } from '../events/event.store.ts';
import { fullJitterMs } from '../shared/backoff.ts';
import { assertSameRequest } from '../shared/http/idempotency.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Reason, World, Write } from '../shared/world.ts';
import { accountKey, applyLeg, toAccount } from './account.store.ts';
import type { Account } from './account.ts';
import { insertTransaction, journalKey, toTransaction } from './transaction.store.ts';
import {
  accountIdsOf,
  decideTransaction,
  isStoredRefusal,
  rejectTransaction,
  type Transaction,
  type TransactionDraft,
} from './transaction.ts';
import { transactionPosted } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log'>;

export interface Posting {
  readonly transaction: Transaction;
  /** An earlier request with the same Idempotency-Key made it. */
  readonly replayed: boolean;
}

const TRIES_MAX = 6;
const TRYING_MS_MAX = 2 * SECOND_MS;
const BACKOFF = { baseMs: 10, capMs: 400 };

/**
 * Posts the draft, or finds what its id has already made: {accounts, journal, event} in one
 * commit. `also` are further writes of that commit. Refuses with the problems of the pure
 * decision, of which the stored ones are remembered and answered again; with
 * `idempotency_key_reused`; with `busy` when others kept touching the same accounts.
 */
export async function postTransaction(
  world: Needs,
  draft: TransactionDraft,
  { also = [] }: { readonly also?: readonly Write[] } = {},
): Promise<Posting> {
  const startMs = world.clock.nowMs();
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const posting = await tryToPost(world, draft, also);
    if (posting) return posting;
    if (world.clock.nowMs() - startMs > TRYING_MS_MAX) break;
    // Full jitter: those who collided do not collide again in step.
    await world.clock.sleep(fullJitterMs(tries, BACKOFF, world.ids.random()));
  }
  world.log.warn('ledger.busy', { accounts: accountIdsOf(draft) });
  throw new Problem('busy', {
    detail: 'The accounts are under contention. Retry with the same Idempotency-Key.',
    retryAfterSeconds: 1,
  });
}

/** Undefined when somebody else was faster, so that it is worth reading again. */
async function tryToPost(
  world: Needs,
  draft: TransactionDraft,
  also: readonly Write[],
): Promise<Posting | undefined> {
  const { earlier, accounts } = await read(world, draft);
  if (earlier) return replay(earlier, draft);

  const decision = decideOrReject(draft, accounts, world.clock.nowMs());
  const transaction =
    decision.status === 'posted' ? { ...decision, eventId: world.ids.next('evt') } : decision;
  const commit = await world.db.commit(writesOf(transaction, accounts, also));
  if (commit.ok) return { transaction: settled(transaction), replayed: false };
  assertWorthRetrying(commit.reasons);
  return undefined;
}

/** All that the decision needs, strongly consistent: each item is one read unit. */
async function read({ db }: Needs, draft: TransactionDraft) {
  const accountIds = [...new Set(accountIdsOf(draft))];
  const [journal, ...items] = await db.getAll(
    [
      journalKey(draft.tenantId, draft.id),
      ...accountIds.map((it) => accountKey(draft.tenantId, it)),
    ].map((key) => ({ table: 'ledger', ...key })),
  );
  if (journal) return { earlier: toTransaction(journal), accounts: new Map<string, Account>() };

  const missing = accountIds.filter((_id, index) => items[index] === undefined);
  if (missing.length > 0) {
    throw new Problem('not_found', { detail: `There is no account ${missing.join(', ')}.` });
  }
  const accounts = items.flatMap((item) => (item ? [toAccount(item)] : []));
  return { earlier: undefined, accounts: new Map(accounts.map((it) => [it.id as string, it])) };
}

function decideOrReject(
  draft: TransactionDraft,
  accounts: ReadonlyMap<string, Account>,
  nowMs: number,
): Transaction {
  try {
    return decideTransaction(draft, accounts, nowMs);
  } catch (error) {
    if (!(error instanceof Problem) || !isStoredRefusal(error.code)) throw error;
    return rejectTransaction(draft, { code: error.code, detail: error.message }, nowMs);
  }
}

/** Either the money, its record and its event together, or the record of a refusal alone. */
function writesOf(
  transaction: Transaction,
  accounts: ReadonlyMap<string, Account>,
  also: readonly Write[],
): Write[] {
  if (transaction.status === 'rejected') return [insertTransaction(transaction)];
  const moved = transaction.legs.flatMap((leg) => {
    const account = accounts.get(leg.accountId);
    return account ? [applyLeg(account, leg, transaction.createdAtMs)] : [];
  });
  return [
    insertTransaction(transaction),
    ...moved,
    insertEvent(transactionPosted(transaction)),
    ...also,
  ];
}

/** A stored refusal is thrown like the first time, so that the caller sees one answer. */
function settled(transaction: Transaction, replayed = false): Transaction {
  const { refusal } = transaction;
  if (refusal) throw new Problem(refusal.code, { detail: refusal.detail, replayed });
  return transaction;
}

function replay(earlier: Transaction, draft: TransactionDraft): Posting {
  assertSameRequest(earlier, draft);
  return { transaction: settled(earlier, true), replayed: true };
}

/**
 * The journal's condition: another request with this key won, and the next read finds it. An
 * account's condition or a conflict: somebody moved it, and the next read sees how. Throttling
 * gets worse by retrying at once.
 */
function assertWorthRetrying(reasons: readonly Reason[]): void {
  const codes = new Set(reasons.map((it) => it.code));
  if (reasons[0]?.code === 'condition') return;
  if (codes.has('throttled')) {
    throw new Problem('busy', {
      detail: 'The ledger is throttled. Retry with the same Idempotency-Key.',
      retryAfterSeconds: 1,
    });
  }
  if (!codes.has('condition') && !codes.has('conflict')) {
    throw new Error(`a commit was cancelled for ${[...codes].join(', ')}`);
  }
}
