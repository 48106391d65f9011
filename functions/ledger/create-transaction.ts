import { creationId } from '../shared/http/idempotency.ts';
import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { postTransaction, tryTransaction } from './post-transaction.ts';
import { createTransactionRoute } from './transaction.contract.ts';
import { findReversedBy } from './transaction.store.ts';
import { draftTransaction, MONEY_SCOPE } from './transaction-draft.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;

/** POST /v1/transactions. A dry run answers what would be posted, and leaves its key free. */
export const createTransaction = route(createTransactionRoute, async (call, world: Needs) => {
  const { tenantId, idempotency, body, traceparent, hops } = call;
  const origin = { tenantId, fingerprint: idempotency?.fingerprint, traceparent, hops };
  if (body.dryRun) {
    const id = world.ids.next('txn');
    const transaction = await tryTransaction(world, draftTransaction(body, { ...origin, id }));
    return { status: 200, body: { ...transactionView(transaction), dryRun: true as const } };
  }
  const id = creationId('txn', { tenantId, scope: MONEY_SCOPE, idempotency }, world.ids);
  const posting = await postTransaction(world, draftTransaction(body, { ...origin, id }));
  const { transaction, replayed } = posting;
  // A replay shows the transaction as it is now: it may have been reversed since.
  const reversedBy = replayed ? await findReversedBy(world.db, tenantId, id) : undefined;
  return { body: transactionView(transaction, reversedBy), replayed };
});
