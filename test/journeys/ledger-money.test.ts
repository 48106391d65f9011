import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ledgerRoutes } from '../../functions/ledger/contract.ts';
import { type ApiClient, type Body, newAccount } from '../support/api.ts';
import { snapshotOf } from '../support/cloud.ts';
import { inTime } from '../support/in-time.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

/** Calls are noted, so that no route of the contract is left out. */
const called = new Set<string>();
let tenant: TenantWithReceiver;
let api: ApiClient;
let a: string;
let b: string;
beforeAll(async () => {
  tenant = await tenantWithReceiver(inject('cloud'));
  api = noting(tenant.api);
});
afterAll(() => tenant?.receiver.close());
beforeEach(async () => {
  [a, b] = [await newAccount(api, '1000'), await newAccount(api)];
});

const currency = 'EUR';
const transfer = (amount: string) => ({
  ...{ type: 'transfer', sourceAccountId: a, destinationAccountId: b, amount, currency },
});
const hold = (more: object = {}) =>
  api.post('/v1/holds', { accountId: a, amount: '100', currency, ...more });
const told = async (type: string, id: unknown): Promise<Body> => {
  const found = () => tenant.accepted().find((it) => it.type === type && dataOf(it).id === id);
  return dataOf((await until(found, (it) => it !== undefined)) ?? {});
};
const dataOf = (event: Body) => event.data as Body;
const listed = async (path: string) =>
  (await api.get<{ data: Body[] }>(path)).body.data.map((it) => it.id);

describe('a hold', () => {
  it('is captured in part, to the destination that the capture names', async () => {
    const { status, body } = await hold();
    const capture = { amount: '60', destinationAccountId: b };
    const captured = await api.post(`/v1/holds/${body.id}/capture`, capture);
    const { hold: after, transaction } = captured.body as Record<'hold' | 'transaction', Body>;

    expect([status, captured.status]).toEqual([201, 201]);
    expect(after).toMatchObject({ status: 'captured', capturedAmount: '60' });
    expect((await api.get(`/v1/holds/${body.id}`)).body).toEqual(after);
    expect((await api.get(`/v1/accounts/${a}`)).body).toMatchObject({ balance: '940', held: '0' });
    expect(await told('hold.created', body.id)).toMatchObject({ status: 'pending', amount: '100' });
    expect(await told('hold.captured', body.id)).toMatchObject({
      transactionId: transaction.id,
      entries: [
        { accountId: a, amount: '-60' },
        { accountId: b, amount: '60' },
      ],
    });
  });

  it('is voided, without a body', async () => {
    const { body } = await hold({ destinationAccountId: b });

    const voided = await api.post(`/v1/holds/${body.id}/void`);

    expect([voided.status, voided.body.status]).toEqual([200, 'voided']);
    expect(await told('hold.voided', body.id)).toMatchObject({
      entries: [{ accountId: a, amount: '0', availableAfter: '1000' }],
    });
    const again = await api.post(`/v1/holds/${body.id}/void`);
    expect([again.status, again.body.code]).toEqual([409, 'hold_resolved']);
  });

  it('expires by itself at its time, and not before', async () => {
    const { accountId, expiresAt, body } = await inTime(3_000, async (ms) => {
      const from = await newAccount(api, '1000');
      const terms = { expiresAt: new Date(Date.now() + ms).toISOString(), accountId: from };
      const made = await hold({ ...terms, destinationAccountId: b });
      const [id, ...others] = await listed(`/v1/holds?status=pending&accountId=${from}`);
      expect(others).toEqual([]);
      return id !== undefined && id === made.body.id ? { ...terms, body: made.body } : undefined;
    });
    const path = `/v1/holds/${body.id}`;

    const expired = await until(
      async () => (await api.get(path)).body,
      (it) => it.status !== 'pending',
    );

    expect(expired.status).toBe('expired');
    expect(Date.parse(String(expired.resolvedAt))).toBeGreaterThanOrEqual(Date.parse(expiresAt));
    expect((await api.get(`/v1/accounts/${accountId}`)).body).toMatchObject({
      ...{ balance: '1000', available: '1000', held: '0', version: 3 },
    });
    const late = await api.post(`${path}/capture`, {});
    expect([late.status, late.body.code]).toEqual([409, 'hold_resolved']);
    await told('hold.expired', body.id);
    const entries = await until(
      async () => (await api.get<{ data: Body[] }>(`/v1/accounts/${accountId}/entries`)).body.data,
      (it) => it.length === 3,
    );
    expect(entries.map((it) => [it.seq, it.type, it.amount])).toEqual([
      [3, 'expiry', '0'],
      [2, 'hold', '0'],
      [1, 'credit', '1000'],
    ]);
  });
});

describe('a transaction', () => {
  it('is reversed once, and both are told', async () => {
    const { body } = await api.post('/v1/transactions', transfer('300'));
    const reversals = `/v1/transactions/${body.id}/reversals`;

    const reversal = await api.post(reversals, { reference: 'oops' });
    const second = await api.post(reversals, {});

    expect([reversal.status, reversal.body.reverses]).toEqual([201, body.id]);
    expect([second.status, second.body.code]).toEqual([409, 'already_reversed']);
    expect((await api.get(`/v1/transactions/${body.id}`)).body.reversedBy).toBe(reversal.body.id);
    expect(await told('transaction.posted', reversal.body.id)).toMatchObject({ type: 'reversal' });
    expect(await listed('/v1/transactions?reference=oops')).toEqual([reversal.body.id]);
  });

  it('of each type is told as transaction.posted', async () => {
    const usd = await newAccount(api, '50', 'USD');
    const posting = (source: string, destination: string, of: object) => ({
      ...{ sourceAccountId: source, destinationAccountId: destination, ...of },
    });
    const bodies = [
      { type: 'credit', accountId: a, amount: '1', currency },
      { type: 'debit', accountId: a, amount: '1', currency },
      transfer('1'),
      {
        type: 'journal',
        postings: [
          posting(a, '@world', { amount: '2', currency }),
          posting('@world', usd, { amount: '3', currency: 'USD' }),
        ],
      },
    ];
    for (const body of bodies) {
      const { status, body: posted } = await api.post('/v1/transactions', body);
      expect(status).toBe(201);
      const { postings, ...event } = await told('transaction.posted', posted.id);
      expect(event).toMatchObject({ type: body.type, status: 'posted' });
      expect(postings).toEqual(body.type === 'journal' ? posted.postings : undefined);
      const entries = event.entries as Body[];
      expect(entries.map((it) => it.amount)).toEqual(
        (posted.entries as Body[]).map((it) => it.amount),
      );
    }
  });

  it('is tried without being posted, and held to its preconditions', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const dry = await api.post('/v1/transactions', { ...transfer('5'), dryRun: true }, key);
    const preconditions = [{ accountId: a, version: 7 }];
    const held = await api.post('/v1/transactions', { ...transfer('5'), preconditions }, key);
    const real = await api.post('/v1/transactions', transfer('5'), key);

    expect([dry.status, held.status, real.status]).toEqual([200, 412, 201]);
    expect(real.headers.get('idempotent-replayed')).toBeNull();
  });
});

describe('a batch', () => {
  it('is posted as a whole under the key of the header, and told one by one', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const batch = { atomic: true, transactions: [transfer('1'), transfer('2')] };

    const first = await api.post('/v1/transactions/batch', batch, key);
    const again = await api.post('/v1/transactions/batch', batch, key);

    const { transactions } = first.body as { transactions: Body[] };
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    for (const { id } of transactions) await told('transaction.posted', id);
  });

  it('whose parts stand alone answers each of them', async () => {
    const part = (amount: string) => ({ ...transfer(amount), idempotencyKey: randomUUID() });
    const batch = { atomic: false, transactions: [part('1'), part('9999')] };

    const { status, body } = await api.send('/v1/transactions/batch', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(batch),
    });

    expect([status, body.results]).toMatchObject([
      200,
      [{ status: 201 }, { status: 422, problem: { code: 'insufficient_funds' } }],
    ]);
  });
});

it('an account is renamed, frozen, emptied and closed, and each is told', async () => {
  const path = `/v1/accounts/${b}`;
  const set = (body: object) =>
    api.send(path, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  expect((await set({ name: 'Savings', metadata: { plan: 'gold' } })).status).toBe(200);
  expect((await set({ status: 'frozen' })).body.status).toBe('frozen');
  const refused = await api.post('/v1/transactions', transfer('1'));
  expect([refused.status, refused.body.code]).toEqual([422, 'account_frozen']);
  expect(await listed('/v1/accounts?status=frozen')).toEqual([b]);
  expect((await set({ status: 'closed' })).status).toBe(200);
  expect((await set({ status: 'active' })).status).toBe(409);
  const updates = await until(
    () => tenant.accepted().filter((it) => it.type === 'account.updated' && dataOf(it).id === b),
    (it) => it.length === 3,
  );
  expect(updates.map((it) => dataOf(it).status).toSorted()).toEqual(['active', 'closed', 'frozen']);
});

it('leaves no route of the ledger uncalled, and the books whole', async () => {
  const missing = ledgerRoutes.map((it) => `${it.method} ${it.path}`);

  expect(missing.filter((it) => !called.has(it))).toEqual([]);
  const snapshot = await snapshotOf(tenant.tenantId);
  expect(snapshot.ledger.length).toBeGreaterThan(30);
  expect(checkLedger(snapshot)).toEqual([]);
});

/** Notes which route of the contract each call goes to. */
function noting(client: ApiClient): ApiClient {
  const note = (method: string, target: string) => {
    const path = target.split('?')[0] ?? '';
    const form = (it: string) => it.replaceAll(/\/(\{id\}|(acc|txn|hld)_\w+)/g, '/{id}');
    called.add(`${method} ${form(path)}`);
  };
  return {
    get: (path) => {
      note('GET', path);
      return client.get(path);
    },
    post: (path, body, headers) => {
      note('POST', path);
      return client.post(path, body, headers);
    },
    send: (path, init) => {
      note(init.method ?? 'GET', path);
      return client.send(path, init);
    },
  };
}
