import { creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { WORLD } from './account.ts';
import { createTransactionRoute } from './contract.ts';
import { postTransaction } from './post-transaction.ts';
import type { TransactionDraft } from './transaction.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log'>;

/** All money routes share one scope: a key that is reused on another of them is seen. */
export const MONEY_SCOPE = 'money';

/** POST /v1/transactions. */
export const createTransaction = route(createTransactionRoute, async (call, world: Needs) => {
  const { transaction, replayed } = await postTransaction(world, draftOf(call, world));
  return { body: transactionView(transaction), replayed };
});

function draftOf(call: Call<typeof createTransactionRoute>, { ids }: Needs): TransactionDraft {
  const { tenantId, idempotency, body } = call;
  return {
    id: creationId('txn', { tenantId, scope: MONEY_SCOPE, idempotency }, ids),
    tenantId,
    type: body.type,
    ...sidesOf(body),
    amount: body.amount,
    currency: body.currency,
    description: body.description,
    reference: body.reference,
    metadata: body.metadata,
    fingerprint: idempotency?.fingerprint,
    traceparent: call.traceparent,
  };
}

/** A credit comes from the world, and a debit goes there. */
function sidesOf(
  body: Call<typeof createTransactionRoute>['body'],
): Pick<TransactionDraft, 'sourceId' | 'destinationId'> {
  if (body.type === 'credit') return { sourceId: WORLD, destinationId: body.accountId };
  if (body.type === 'debit') return { sourceId: body.accountId, destinationId: WORLD };
  return { sourceId: body.sourceAccountId, destinationId: body.destinationAccountId };
}
