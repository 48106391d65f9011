import { insertEvent } from '../events/event.store.ts';
import type { IdempotencyKey } from '../shared/http/route.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { Problem } from '../shared/problem.ts';
import type { Item, World, Write } from '../shared/world.ts';
import { assertSameRecord, checkBooks, openBooks, saveBooks } from './books.store.ts';
import { commitMoney, type Plan } from './commit-money.ts';
import { refusalOf } from './post-transaction.ts';
import { readWhole } from './read-whole.ts';
import {
  type FoundTransaction,
  insertTransaction,
  loadTransactions,
  toTransaction,
} from './transaction.store.ts';
import {
  accountIdsOf,
  type Books,
  decideTransaction,
  type Refusal,
  rejectTransaction,
  storedRefusalOf,
  type Transaction,
  type TransactionDraft,
} from './transaction.ts';
import { draftTransaction, MONEY_SCOPE, type TransactionBody } from './transaction-draft.ts';
import { transactionPosted } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;

interface Origin extends Pick<TransactionDraft, 'tenantId' | 'traceparent' | 'hops'> {
  readonly idempotency: IdempotencyKey;
}

interface Batch {
  /** All of them posted, or the one record of the refusal. */
  readonly transactions: readonly FoundTransaction[];
  readonly replayed: boolean;
}

/** Quota of TransactWriteItems. */
const WRITES_MAX = 100;

/**
 * Posts all in one commit, judged in their order, each on what those before it left. One refusal
 * refuses all, with the pointer of the one that it is about; a stored one is remembered under the
 * key. Refuses with `batch_too_large` what one commit cannot hold.
 */
export async function postTogether(
  world: Needs,
  bodies: readonly TransactionBody[],
  origin: Origin,
): Promise<Batch> {
  const drafts = draftsOf(bodies, origin);
  const [first] = drafts;
  if (!first) throw new Error('a batch has a transaction');
  const accountIds = [...new Set(drafts.flatMap(accountIdsOf))];
  assertFits(2 * drafts.length + accountIds.length);
  const batch = await commitMoney<Batch>(world, async () => {
    const refuse = (missing: readonly string[]) => nowhere(drafts, missing);
    const terms = { recordId: first.id, accountIds, refuse };
    const { earlier, books } = await openBooks(world.db, origin.tenantId, terms);
    if (earlier) return { done: await replay(earlier, first, world) };
    return planBatch(world, drafts, books);
  });
  const [posted] = batch.transactions;
  if (posted?.transaction.refusal) throw refusalOf(posted.transaction, batch.replayed);
  return batch;
}

/** The first one has the id of the key: it stands for the batch, and knows the others. */
function draftsOf(
  bodies: readonly TransactionBody[],
  { idempotency, ...origin }: Origin,
): TransactionDraft[] {
  const { key, fingerprint } = idempotency;
  const ids = bodies.map((_body, index) =>
    index === 0
      ? deriveId('txn', origin.tenantId, MONEY_SCOPE, key)
      : deriveId('txn', origin.tenantId, MONEY_SCOPE, key, String(index)),
  );
  return bodies.map((body, index) => {
    const id = ids[index] ?? 'txn_';
    const draft = draftTransaction(body, { ...origin, id, fingerprint });
    return index === 0 ? { ...draft, batch: ids } : draft;
  });
}

async function replay(earlier: Item, first: TransactionDraft, world: Needs): Promise<Batch> {
  assertSameRecord(earlier, first);
  const record = toTransaction(earlier);
  if (record.refusal) return { transactions: [{ transaction: record }], replayed: true };
  const { tenantId, batch: ids = [] } = record;
  const transactions = await readWhole(world, async () => {
    const found = await loadTransactions(world.db, tenantId, ids);
    return found.length === ids.length ? found : undefined;
  });
  return { transactions, replayed: true };
}

function planBatch(world: Needs, drafts: readonly TransactionDraft[], before: Books): Plan<Batch> {
  const nowMs = world.clock.nowMs();
  let books = before;
  const transactions: Transaction[] = [];
  for (const [index, draft] of drafts.entries()) {
    try {
      const decision = decideTransaction(draft, books, nowMs);
      books = decision.books;
      transactions.push({ ...decision.transaction, eventId: world.ids.next('evt') });
    } catch (error) {
      const refused = { ...draft, id: drafts[0]?.id ?? draft.id };
      return planRefusal(error, refused, { index, nowMs });
    }
  }
  const looked = drafts.flatMap((it) => it.preconditions?.map(({ accountId }) => accountId) ?? []);
  const writes: Write[] = [
    ...transactions.map(insertTransaction),
    ...saveBooks(before, books),
    ...checkBooks(looked, before, books),
    ...transactions.map((it) => insertEvent(transactionPosted(it))),
  ];
  assertFits(writes.length);
  const made = transactions.map((transaction) => ({ transaction }));
  return { result: { transactions: made, replayed: false }, entered: transactions, writes };
}

/** Names the first transaction with an account that is not there. */
function nowhere(drafts: readonly TransactionDraft[], missing: readonly string[]): Problem {
  const index = drafts.findIndex((it) => accountIdsOf(it).some((id) => missing.includes(id)));
  const detail = `There is no account ${missing.join(', ')}.`;
  const errors = [{ pointer: `/transactions/${index}`, code: 'not_found', detail }];
  return new Problem('not_found', { detail, errors });
}

/** A stored refusal is the record of the key; any other one leaves the key free. */
function planRefusal(
  error: unknown,
  draft: TransactionDraft,
  { index, nowMs }: { readonly index: number; readonly nowMs: number },
): Plan<Batch> {
  if (!(error instanceof Problem)) throw error;
  const stored = storedRefusalOf(error);
  const { code, message: detail, facts } = error;
  const own = facts.errors ?? [{ pointer: '', code, detail }];
  const errors = own.map((it) => ({ ...it, pointer: `/transactions/${index}${it.pointer}` }));
  if (!stored) throw new Problem(code, { ...facts, detail, errors });
  const refusal: Refusal = { ...stored, errors };
  const record = rejectTransaction(draft, refusal, nowMs);
  return {
    result: { transactions: [{ transaction: record }], replayed: false },
    entered: [record],
    writes: [insertTransaction(record)],
  };
}

function assertFits(writes: number): void {
  if (writes <= WRITES_MAX) return;
  throw new Problem('batch_too_large', {
    detail:
      `An atomic batch is one commit of ${WRITES_MAX} items: two for each transaction and one ` +
      `for each account. This one has ${writes}. Split it, or send it with atomic: false.`,
  });
}
