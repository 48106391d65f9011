import { type Call, route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { Item, World } from '../shared/world.ts';
import { accountKey, toAccount } from './account.store.ts';
import { WORLD } from './account.ts';
import { listTransactionIds } from './list-account-transactions.ts';
import { assertCurrency } from './read-entries.ts';
import { type StatementName, statementOf, statementOfWorld } from './statement.ts';
import { readByTime, type TimeList } from './time-list.store.ts';
import { getTransactionRoute, listTransactionsRoute } from './transaction.contract.ts';
import {
  findTransaction,
  JOURNAL_SHARDS,
  journalListing,
  loadTransactions,
  referenceListing,
} from './transaction.store.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'db' | 'secrets'>;
type ListCall = Call<typeof listTransactionsRoute>;

/** GET /v1/transactions/{id}: strongly consistent, also in what reversed it. */
export const getTransaction = route(
  getTransactionRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const found = await findTransaction(db, tenantId, params.id);
    if (!found) throw new Problem('not_found');
    return { body: transactionView(found.transaction, found.reversedBy) };
  },
);

/** GET /v1/transactions: of an account by its statement, else by the journal's indexes. */
export const listTransactions = route(listTransactionsRoute, async (call, world: Needs) => {
  assertCurrency(call.query.accountId ?? '', call.query.currency);
  const { ids, nextCursor } =
    call.query.accountId === undefined
      ? await listByIndex(call, world)
      : await listByAccount(call, call.query.accountId, world);
  const found = await loadTransactions(world.db, call.tenantId, ids);
  const data = found.map((it) => transactionView(it.transaction, it.reversedBy));
  return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
});

interface Ids {
  readonly ids: readonly string[];
  readonly nextCursor?: string | undefined;
}

async function listByIndex({ tenantId, query }: ListCall, world: Needs): Promise<Ids> {
  const { limit, cursor, ...filter } = query;
  const boundTo = boundToOf(tenantId, filter);
  const list = timeListOf(tenantId, filter);
  const { items, nextCursor } = await readByTime(world, list, { limit, cursor, boundTo });
  const ids = items.map((it) => String(it[`${list.index}Sk`]).split('#')[1] ?? '');
  return { ids, nextCursor };
}

type Filter = Omit<ListCall['query'], 'limit' | 'cursor'>;

function boundToOf(tenantId: string, filter: Filter): string[] {
  return [tenantId, 'transactions', JSON.stringify(filter)];
}

function timeListOf(tenantId: string, { status, reference, from, to }: Filter): TimeList {
  const period = { fromMs: from, toMs: to };
  if (reference !== undefined) {
    const partitions = [referenceListing(tenantId, status, reference)];
    return { index: 'reference', partitions, ...period };
  }
  const shards = Array.from({ length: JOURNAL_SHARDS }, (_, shard) => shard);
  const partitions = shards.map((shard) => journalListing(tenantId, status, shard));
  return { index: 'listing', partitions, ...period };
}

async function listByAccount(call: ListCall, accountId: string, world: Needs): Promise<Ids> {
  const { limit, cursor, ...filter } = call.query;
  const boundTo = boundToOf(call.tenantId, filter);
  const key = await world.secrets.read('cursor-key');
  const after = cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at);
  const statement = await findStatement(call, accountId, world);
  const range = { limit, after, fromMs: filter.from, toMs: filter.to };
  const { ids, next } = await listTransactionIds(world, statement, range);
  return {
    ids,
    nextCursor: next === undefined ? undefined : makeCursor({ at: next }, boundTo, key),
  };
}

/** Refuses with `not_found` an account that the tenant does not have. */
async function findStatement(
  { tenantId, query }: ListCall,
  accountId: string,
  { db }: Needs,
): Promise<StatementName & { readonly isDerived: boolean }> {
  if (accountId === WORLD) {
    return { ...statementOfWorld(tenantId, query.currency ?? ''), isDerived: true };
  }
  const item: Item | undefined = await db.get('ledger', accountKey(tenantId, accountId));
  if (!item) throw new Problem('not_found');
  const account = toAccount(item);
  return { ...statementOf(account), isDerived: account.mode === 'derived' };
}
