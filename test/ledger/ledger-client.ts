import { randomUUID } from 'node:crypto';
import { captureHold } from '../../functions/ledger/capture-hold.ts';
import { createAccount } from '../../functions/ledger/create-account.ts';
import { createBatch } from '../../functions/ledger/create-batch.ts';
import { createHold } from '../../functions/ledger/create-hold.ts';
import { createReversal } from '../../functions/ledger/create-reversal.ts';
import { createTransaction } from '../../functions/ledger/create-transaction.ts';
import { getAccount, listAccounts } from '../../functions/ledger/read-accounts.ts';
import { listEntries } from '../../functions/ledger/read-entries.ts';
import { getHold, listHolds } from '../../functions/ledger/read-holds.ts';
import { getTransaction, listTransactions } from '../../functions/ledger/read-transactions.ts';
import { updateAccount } from '../../functions/ledger/update-account.ts';
import { voidHold } from '../../functions/ledger/void-hold.ts';
import type { Route } from '../../functions/shared/http/route.ts';
import type { World } from '../../functions/shared/world.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { roomClient } from '../support/room-client.ts';
import { newTenant, type TestWorld } from '../support/world.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'log' | 'metrics' | 'meters' | 'db' | 'secrets'>;

const ROUTES = [
  ...[createAccount, listAccounts, getAccount, updateAccount, listEntries],
  ...[createTransaction, createBatch, createReversal, listTransactions, getTransaction],
  ...[createHold, captureHold, voidHold, listHolds, getHold],
] as readonly Route<Needs>[];

/** What tests look at in an answer; what is not there is undefined, and the test fails. */
export interface LedgerBody {
  readonly [name: string]: unknown;
  readonly id: string;
  readonly code?: string;
  readonly data: readonly LedgerBody[];
  readonly hold: LedgerBody;
  readonly transaction: LedgerBody;
  readonly transactions: readonly LedgerBody[];
  readonly problem: LedgerBody;
  readonly results: readonly LedgerBody[];
  readonly entries: readonly LedgerBody[];
  readonly errors?: readonly { readonly pointer: string; readonly code: string }[];
}

export interface LedgerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: LedgerBody;
  /** By the header. */
  readonly replayed: boolean;
}

/** The room's Lambda without HTTP: each call is decoded, answered and refused as there. */
export interface LedgerClient {
  readonly tenantId: string;
  get(target: string): Promise<LedgerAnswer>;
  /** Under a fresh Idempotency-Key unless one is named; null sends none. */
  post(target: string, body?: unknown, key?: string | null): Promise<LedgerAnswer>;
  patch(target: string, body: unknown): Promise<LedgerAnswer>;
  /** An account with these terms, and money in it if wanted. */
  open(terms?: object, funds?: string): Promise<string>;
  /** As the API shows it now. */
  account(id: string): Promise<LedgerBody>;
}

/**
 * A client of the tenant that calls one instance of the Lambda with these doors, and sends these
 * headers with each request.
 */
export function ledgerClient(
  world: Needs,
  tenantId: string,
  headers: Readonly<Record<string, string>> = {},
): LedgerClient {
  const ask = roomClient(world, ROUTES, { tenantId });
  async function send(method: string, target: string, { body, key }: Sent): Promise<LedgerAnswer> {
    const answer = await ask(`${method} ${target}`, { body, key: key ?? undefined, headers });
    const { status, headers: answered, text } = answer;
    const replayed = answered['idempotent-replayed'] === 'true';
    return { status, headers: answered, body: JSON.parse(text) as LedgerBody, replayed };
  }
  const post: LedgerClient['post'] = (target, body, key = randomUUID()) =>
    send('POST', target, { body, key });
  const client: LedgerClient = {
    tenantId,
    get: (target) => send('GET', target, {}),
    post,
    patch: (target, body) => send('PATCH', target, { body }),
    async open(terms = {}, funds) {
      const currency = 'EUR';
      const { status, body } = await post('/v1/accounts', { currency, ...terms });
      if (status !== 201) throw new Error(`no account: ${JSON.stringify(body)}`);
      const credit = { type: 'credit', accountId: body.id, amount: funds, currency };
      const wanted = { ...credit, ...(body.currency !== currency && { currency: body.currency }) };
      const funded = funds === undefined ? undefined : await post('/v1/transactions', wanted);
      if (funded && funded.status !== 201) throw new Error(JSON.stringify(funded.body));
      return body.id;
    },
    account: async (id) => (await client.get(`/v1/accounts/${id}`)).body,
  };
  return client;
}

/** A tenant of its own with two accounts in EUR, the first of which has these funds. */
export async function freshLedger(world: TestWorld, funds: string) {
  const ledger = ledgerClient(world, newTenant(world));
  return { ledger, a: await ledger.open({}, funds), b: await ledger.open() };
}

interface Sent {
  readonly body?: unknown;
  readonly key?: string | null;
}

/** `201`, or `422 insufficient_funds`. */
export function told({ status, body }: Pick<LedgerAnswer, 'status' | 'body'>): string {
  return body.code === undefined ? String(status) : `${status} ${body.code}`;
}

/** What is wrong in the books of a tenant: nothing. */
export async function faultsOf(
  { client, tables }: Pick<TestWorld, 'client' | 'tables'>,
  tenantId: string,
): Promise<string[]> {
  const { ledger, outbox } = await takeSnapshot(client, tables);
  return checkLedger({
    ledger: ledger.filter((it) => String(it.pk).startsWith(tenantId)),
    outbox: outbox.filter((it) => it.tenant === tenantId),
  });
}
