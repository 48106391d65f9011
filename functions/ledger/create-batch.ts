import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { postEach } from './post-each.ts';
import { postTogether } from './post-together.ts';
import { createBatchRoute } from './transaction.contract.ts';
import type { FoundTransaction } from './transaction.store.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;

/** POST /v1/transactions/batch: all of them in one commit or none, or each by itself. */
export const createBatch = route(createBatchRoute, async (call, world: Needs) => {
  const { tenantId, traceparent, hops, idempotency, body } = call;
  if (!body.atomic) {
    const texts = call.exactBody() as { readonly transactions: readonly object[] };
    const asked = body.transactions.map((it, index) => ({
      body: it,
      exact: texts.transactions[index] ?? {},
    }));
    const results = await postEach(world, asked, { tenantId, traceparent, hops });
    return { status: 200, body: { results } };
  }
  if (!idempotency) {
    throw new Problem('idempotency_key_required', {
      detail: 'An atomic batch has one Idempotency-Key for all of it: send it as a header.',
    });
  }
  const origin = { tenantId, traceparent, hops, idempotency };
  const { transactions, replayed } = await postTogether(world, body.transactions, origin);
  return { body: { transactions: transactions.map(viewOf) }, replayed };
});

function viewOf({ transaction, reversedBy }: FoundTransaction) {
  return transactionView(transaction, reversedBy);
}
