import { insertEvent } from '../events/event.store.ts';
import type { OutboxEvent } from '../events/event.ts';
import { Problem } from '../shared/problem.ts';
import type { Item, World, Write } from '../shared/world.ts';
import { assertSameRecord, checkBooks, openBooks, saveBooks } from './books.store.ts';
import { commitMoney, type Plan } from './commit-money.ts';
import { insertTransaction, toTransaction } from './transaction.store.ts';
import {
  accountIdsOf,
  type Books,
  type Decision,
  decideTransaction,
  rejectTransaction,
  storedRefusalOf,
  type Transaction,
  type TransactionDraft,
} from './transaction.ts';
import { transactionPosted } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;

export interface Posting {
  readonly transaction: Transaction;
  /** An earlier request with the same Idempotency-Key made it. */
  readonly replayed: boolean;
}

/** Writes are held to one commit of 100: the journal, the event, and one per limited account. */
export const ACCOUNTS_MAX = 97;

/** What goes into the commit of a transaction besides. */
export interface Companions {
  readonly also?: readonly Write[];
  /** Whether the conditions of these writes still hold; false posts nothing, with `Overtaken`. */
  stillHolds?(): Promise<boolean>;
}

/** What was to be committed with a transaction is not so any more. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/**
 * Posts the draft, or finds what its id has already made: {accounts, journal, event} in one
 * commit. `also` are further writes of that commit. Refuses with the problems of the pure
 * decision, of which the stored ones are remembered and answered again; with
 * `idempotency_key_reused`; with `busy` when others kept touching the same accounts.
 */
export async function postTransaction(
  world: Needs,
  draft: TransactionDraft,
  { also = [], stillHolds = async () => true }: Companions = {},
): Promise<Posting> {
  const accountIds = accountIdsOf(draft);
  let looks = 0;
  const posting = await commitMoney<Posting>(world, async () => {
    // What was read a moment ago need not be read again before the first try.
    if (looks++ > 0 && !(await stillHolds())) throw new Overtaken();
    const recordId = draft.id;
    const { earlier, books } = await openBooks(world.db, draft.tenantId, { recordId, accountIds });
    if (earlier) return { done: replayOf(earlier, draft) };
    assertFits(books, also);
    const decide = (nowMs: number) => decideTransaction(draft, books, nowMs);
    const decision = decideOrReject(world, draft, { books, decide });
    const looked = draft.preconditions?.map((it) => it.accountId) ?? [];
    const checks = checkBooks(looked, books, decision.books);
    return planOf(world, decision, { before: books, also: [...also, ...checks] });
  });
  return settled(posting);
}

/**
 * The same decision on the accounts as they are now, and nothing is written or remembered. The id
 * of the draft is a fresh one, so that its key stays free.
 */
export async function tryTransaction(world: Needs, draft: TransactionDraft): Promise<Transaction> {
  const accountIds = accountIdsOf(draft);
  const recordId = draft.id;
  const { books } = await openBooks(world.db, draft.tenantId, { recordId, accountIds });
  assertFits(books);
  return decideTransaction(draft, books, world.clock.nowMs()).transaction;
}

/** What the draft comes to: the decision, or the refusal that the journal will remember. */
export function decideOrReject<Decided extends Decision>(
  { clock }: Pick<Needs, 'clock'>,
  draft: TransactionDraft,
  { books, decide }: { readonly books: Books; readonly decide: (nowMs: number) => Decided },
): Decided | Decision {
  const nowMs = clock.nowMs();
  try {
    return decide(nowMs);
  } catch (error) {
    const refusal = storedRefusalOf(error);
    if (!refusal) throw error;
    return { transaction: rejectTransaction(draft, refusal, nowMs), books };
  }
}

/** What goes into the commit of a decision beside its record, its money and its event. */
export interface Surroundings {
  readonly before: Books;
  readonly also?: readonly Write[];
  /** The event that tells of it, when that is not `transaction.posted`. */
  readonly tell?: (transaction: Transaction) => OutboxEvent;
}

/** Either the money with its record and its event together, or the record of a refusal alone. */
export function planOf(
  { ids }: Pick<Needs, 'ids'>,
  decision: Decision,
  { before, also = [], tell = transactionPosted }: Surroundings,
): Plan<Posting> {
  if (decision.transaction.status === 'rejected') {
    const { transaction } = decision;
    const result = { transaction, replayed: false };
    return { result, entered: [transaction], writes: [insertTransaction(transaction)] };
  }
  const transaction = { ...decision.transaction, eventId: ids.next('evt') };
  const writes = [
    insertTransaction(transaction),
    ...saveBooks(before, decision.books),
    insertEvent(tell(transaction)),
    ...also,
  ];
  return { result: { transaction, replayed: false }, entered: [transaction], writes };
}

/** What an earlier request made, if it is the same request. */
export function replayOf(earlier: Item, draft: Pick<TransactionDraft, 'fingerprint'>): Posting {
  assertSameRecord(earlier, draft);
  return { transaction: toTransaction(earlier), replayed: true };
}

/** A stored refusal is thrown at each time alike, so that the caller sees one answer. */
export function settled(posting: Posting): Posting {
  if (!posting.transaction.refusal) return posting;
  throw refusalOf(posting.transaction, posting.replayed);
}

/** The stored refusal of a rejected transaction. */
export function refusalOf({ id, refusal }: Transaction, replayed: boolean): Problem {
  if (!refusal) throw new Error(`${id} was not refused`);
  const { code, detail, errors } = refusal;
  return new Problem(code, { detail, ...(errors && { errors }), ...(replayed && { replayed }) });
}

function assertFits(books: Books, also: readonly Write[] = []): void {
  const count = [...books.values()].filter((it) => it.mode === 'limited').length;
  const max = ACCOUNTS_MAX - also.length;
  if (count <= max) return;
  throw new Problem('batch_too_large', {
    detail: `A transaction may touch ${max} limited accounts here; this one has ${count}.`,
  });
}
