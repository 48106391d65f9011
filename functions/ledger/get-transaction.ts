import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { getTransactionRoute } from './contract.ts';
import { journalKey, toTransaction } from './transaction.store.ts';
import { transactionView } from './transaction-view.ts';

/** GET /v1/transactions/{id}. */
export const getTransaction = route(
  getTransactionRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const item = await db.get('ledger', journalKey(tenantId, params.id));
    if (item?.id !== params.id) throw new Problem('not_found');
    return { body: transactionView(toTransaction(item)) };
  },
);
