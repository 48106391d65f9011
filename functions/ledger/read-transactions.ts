import { type Call, route } from '../shared/http/route.ts';
import { countFitting, makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { idOfPlace, placeOf, readByTime, type TimeList } from '../shared/time-list.ts';
import type { Item, World } from '../shared/world.ts';
import { accountKey, toAccount } from './account.store.ts';
import { WORLD } from './account.ts';
import { listTransactionPlaces, type TransactionPlace } from './list-account-transactions.ts';
import { listTouchingTransactions } from './list-touching-transactions.ts';
import { assertCurrency } from './read-entries.ts';
import { type StatementName, statementOf, statementOfWorld } from './statement.ts';
import { getTransactionRoute, listTransactionsRoute } from './transaction.contract.ts';
import {
  type FoundTransaction,
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

/** A page; with the transactions where they had to be looked at. */
interface Page {
  readonly places: readonly TransactionPlace[];
  readonly next?: string | undefined;
  readonly found?: readonly FoundTransaction[];
}

/** GET /v1/transactions: of an account by its statement, else by the journal's indexes. */
export const listTransactions = route(listTransactionsRoute, async (call, world: Needs) => {
  const { limit, cursor, ...filter } = call.query;
  assertCurrency(filter.accountId ?? '', filter.currency);
  const boundTo = [call.tenantId, 'transactions', JSON.stringify(filter)];
  const key = await world.secrets.read('cursor-key');
  const after = cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at);
  const page =
    filter.accountId === undefined
      ? await listByIndex(call, after, world)
      : await listByAccount(call, { accountId: filter.accountId, after }, world);
  const { places, next } = page;
  const ids = places.map((it) => it.id);
  const found = page.found ?? (await loadTransactions(world.db, call.tenantId, ids));
  const views = found.map((it) => transactionView(it.transaction, it.reversedBy));
  const data = views.slice(0, countFitting(views));
  const isCut = data.length < views.length;
  // A cut page goes on behind the last one that it shows.
  const end = isCut ? places.find((it) => it.id === data.at(-1)?.id)?.place : next;
  const nextCursor = end && makeCursor({ at: end }, boundTo, key);
  return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
});

async function listByIndex(
  { tenantId, query }: ListCall,
  after: string | undefined,
  { db }: Needs,
): Promise<Page> {
  const list = timeListOf(tenantId, query);
  const { items, next } = await readByTime(db, list, {
    limit: query.limit,
    after,
    pick: async (rows) => rows.map((row) => placeOf(row, list)),
  });
  return { places: items.map((place) => ({ id: idOfPlace(place), place })), next };
}

type Filter = Omit<ListCall['query'], 'limit' | 'cursor'>;

function timeListOf(tenantId: string, { status, reference, from, to }: Filter): TimeList {
  const period = { fromMs: from, toMs: to };
  if (reference !== undefined) {
    const partitions = [referenceListing(tenantId, status, reference)];
    return { table: 'ledger', index: 'reference', partitions, ...period };
  }
  const shards = Array.from({ length: JOURNAL_SHARDS }, (_, shard) => shard);
  const partitions = shards.map((shard) => journalListing(tenantId, status, shard));
  return { table: 'ledger', index: 'listing', partitions, ...period };
}

async function listByAccount(
  call: ListCall,
  { accountId, after }: { readonly accountId: string; readonly after: string | undefined },
  world: Needs,
): Promise<Page> {
  const { limit, from, to, reference, status } = call.query;
  const statement = await findStatement(call, accountId, world);
  if (reference === undefined && status === 'posted') {
    return listTransactionPlaces(world, statement, { limit, after, fromMs: from, toMs: to });
  }
  // A statement knows neither of what was rejected, nor where a reference is.
  const list = timeListOf(call.tenantId, call.query);
  const { items, next } = await listTouchingTransactions(
    world,
    { statement, list },
    { limit, after },
  );
  return { places: items, next, found: items.map((it) => it.found) };
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
