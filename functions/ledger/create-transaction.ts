import { creationId } from '../shared/http/idempotency.ts';
import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { postTransaction, tryTransaction } from './post-transaction.ts';
import { createTransactionRoute } from './transaction.contract.ts';
import { draftTransaction, MONEY_SCOPE } from './transaction-draft.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log'>;

/** POST /v1/transactions. A dry run answers what would be posted, and leaves its key free. */
export const createTransaction = route(createTransactionRoute, async (call, world: Needs) => {
  const { tenantId, idempotency, body, traceparent } = call;
  const id = creationId('txn', { tenantId, scope: MONEY_SCOPE, idempotency }, world.ids);
  const fingerprint = idempotency?.fingerprint;
  const draft = draftTransaction(body, { id, tenantId, fingerprint, traceparent });
  if (body.dryRun) {
    const transaction = await tryTransaction(world, draft);
    return { status: 200, body: { ...transactionView(transaction), dryRun: true as const } };
  }
  const { transaction, replayed } = await postTransaction(world, draft);
  return { body: transactionView(transaction), replayed };
});
