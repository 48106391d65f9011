import { route } from '../shared/http/route.ts';
import { readPage } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findAccount, loadAccounts } from './account.store.ts';
import { accountView } from './account-view.ts';
import { getAccountRoute, listAccountsRoute } from './contract.ts';

/** GET /v1/accounts/{id}: strongly consistent. */
export const getAccount = route(
  getAccountRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const found = await findAccount(db, tenantId, params.id);
    if (!found) throw new Problem('not_found');
    return { body: accountView(found) };
  },
);

/** GET /v1/accounts: which accounts is up to a second old, their balances are not. */
export const listAccounts = route(
  listAccountsRoute,
  async ({ tenantId, query }, world: Pick<World, 'db' | 'secrets'>) => {
    const list = await readPage(
      world,
      { table: 'ledger', index: 'listing', pk: `${tenantId}#A`, newestFirst: true },
      { ...query, boundTo: [tenantId, 'accounts'] },
    );
    const accounts = await loadAccounts(world.db, list.items);
    const { nextCursor } = list;
    return {
      body: { data: accounts.map(accountView), nextCursor, hasMore: nextCursor !== undefined },
    };
  },
);
