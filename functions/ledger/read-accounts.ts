import { type Call, route } from '../shared/http/route.ts';
import { readPage } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { getAccountRoute, listAccountsRoute } from './account.contract.ts';
import {
  type AccountWithDetails,
  findAccount,
  findExternalId,
  listingOf,
  loadAccounts,
} from './account.store.ts';
import { WORLD } from './account.ts';
import { accountView, worldView } from './account-view.ts';
import { findBalanceAt } from './find-balance.ts';
import { findDerivedBalance, findDerivedBalances, viewNow } from './find-derived-balance.ts';
import { assertCurrency } from './read-entries.ts';
import { statementOf, statementOfWorld } from './statement.ts';

type Needs = Pick<World, 'clock' | 'db' | 'secrets'>;
type ListCall = Call<typeof listAccountsRoute>;

/** GET /v1/accounts/{id}: strongly consistent, but for derived accounts. */
export const getAccount = route(
  getAccountRoute,
  async ({ tenantId, params, query }, world: Pick<World, 'clock' | 'db'>) => {
    assertCurrency(params.id, query.currency);
    if (params.id === WORLD) {
      assertNow(query.at);
      const { currency = '' } = query;
      const statement = statementOfWorld(tenantId, currency);
      return { body: worldView(currency, await findDerivedBalance(world, statement)) };
    }
    const found = await findAccount(world.db, tenantId, params.id);
    if (!found) throw new Problem('not_found');
    if (query.at === undefined) return { body: await viewNow(found, world) };
    const shown = await findBalanceAt(world, found.account, query.at);
    return { body: { ...accountView(found, shown), at: toInstant(query.at) } };
  },
);

/** GET /v1/accounts: which accounts is up to a second old, their balances are not. */
export const listAccounts = route(listAccountsRoute, async (call, world: Needs) => {
  const { found, nextCursor } =
    call.query.externalId === undefined
      ? await listByTime(call, world)
      : { found: await findByExternalId(call, world), nextCursor: undefined };
  const data = await viewAllNow(found, world);
  return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
});

async function listByTime({ tenantId, query }: ListCall, world: Needs) {
  const { status, ...page } = query;
  const list = await readPage(
    world,
    {
      ...{ table: 'ledger', index: 'listing', newestFirst: true },
      pk: listingOf(tenantId, status),
    },
    { ...page, boundTo: [tenantId, 'accounts', status ?? ''] },
  );
  return { found: await loadAccounts(world.db, list.items), nextCursor: list.nextCursor };
}

async function findByExternalId(
  { tenantId, query }: ListCall,
  { db }: Needs,
): Promise<AccountWithDetails[]> {
  if (query.cursor !== undefined) {
    throw new Problem('invalid_cursor', { detail: 'With an externalId there is one page.' });
  }
  const id = await findExternalId(db, tenantId, query.externalId ?? '');
  const found = id && (await findAccount(db, tenantId, id));
  const isWanted = found && (query.status === undefined || found.account.status === query.status);
  return isWanted ? [found] : [];
}

/** The accounts with their balances as they are now: the totals of all derived ones by one read. */
async function viewAllNow(found: readonly AccountWithDetails[], world: Pick<World, 'db'>) {
  const derived = found.map((it) => it.account).filter((it) => it.mode === 'derived');
  const sums = await findDerivedBalances(world, derived.map(statementOf));
  const balances = new Map(derived.map((it, index) => [it.id, sums[index]]));
  return found.map((it) => {
    const balance = balances.get(it.account.id);
    return balance === undefined ? accountView(it) : accountView(it, { balance });
  });
}

function assertNow(at: number | undefined): void {
  if (at === undefined) return;
  throw new Problem('not_available', {
    detail: '@world has no stored balance, and so no balance at a time.',
  });
}
