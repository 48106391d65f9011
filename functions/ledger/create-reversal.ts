import { creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { openBooks } from './books.store.ts';
import { commitMoney, type Step } from './commit-money.ts';
import { decideOrReject, type Posting, planOf, replayOf, settled } from './post-transaction.ts';
import { letShow } from './read-whole.ts';
import { createReversalRoute } from './transaction.contract.ts';
import { type FoundTransaction, findTransaction, insertReversal } from './transaction.store.ts';
import {
  accountIdsOf,
  decideTransaction,
  reversedPostings,
  type Transaction,
  type TransactionDraft,
} from './transaction.ts';
import { MONEY_SCOPE } from './transaction-draft.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;
type ReversalCall = Call<typeof createReversalRoute>;

/**
 * POST /v1/transactions/{id}/reversals: the same postings with their sides exchanged. Refuses with
 * `already_reversed`, with `conflict` what cannot be reversed, and like any transaction.
 */
export const createReversal = route(createReversalRoute, async (call, world: Needs) => {
  const posting = await commitMoney<Posting>(world, () => look(call, world));
  const { transaction, replayed } = settled(posting);
  return { body: transactionView(transaction), replayed };
});

async function look(call: ReversalCall, world: Needs): Promise<Step<Posting>> {
  const { tenantId, params } = call;
  const found = await findTransaction(world.db, tenantId, params.id);
  if (!found) throw new Problem('not_found');
  const draft = draftReversal(call, found.transaction, world);
  const terms = { recordId: draft.id, accountIds: accountIdsOf(draft) };
  const { earlier, books } = await openBooks(world.db, tenantId, terms);
  if (earlier) return { done: replayOf(earlier, draft) };
  assertReversible(found);
  const decide = (nowMs: number) => decideTransaction(draft, books, nowMs);
  const decision = decideOrReject(world, draft, { books, decide });
  if (decision.transaction.status === 'rejected') {
    // The funds that are missing may be those that another reversal has taken back.
    await letShow(world);
    const now = await findTransaction(world.db, tenantId, params.id);
    if (now?.reversedBy !== undefined) return look(call, world);
  }
  const also = [insertReversal(tenantId, params.id, draft.id)];
  return planOf(world, decision, { before: books, also });
}

function draftReversal(
  { tenantId, idempotency, body, traceparent, hops }: ReversalCall,
  reversed: Transaction,
  { ids }: Pick<Needs, 'ids'>,
): TransactionDraft {
  return {
    id: creationId('txn', { tenantId, scope: MONEY_SCOPE, idempotency }, ids),
    tenantId,
    type: 'reversal',
    postings: reversedPostings(reversed),
    description: body.description,
    reference: body.reference,
    metadata: body.metadata,
    reverses: reversed.id,
    fingerprint: idempotency?.fingerprint,
    traceparent,
    hops,
  };
}

function assertReversible({ transaction, reversedBy }: FoundTransaction): void {
  const { id, status, type } = transaction;
  if (reversedBy !== undefined) {
    throw new Problem('already_reversed', { detail: `${id} was reversed by ${reversedBy}.` });
  }
  if (status === 'rejected') {
    throw new Problem('conflict', { detail: `${id} was rejected: it has moved nothing.` });
  }
  if (type === 'reversal') {
    throw new Problem('conflict', {
      detail: `${id} is a reversal. Post the transaction anew instead of reversing it twice.`,
    });
  }
}
