import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, newAccount, newTenantOf } from '../support/api.ts';
import { snapshotOf } from '../support/cloud.ts';
import { checkLedger } from '../support/invariants/ledger.ts';

const { apiUrl, adminKey } = inject('cloud');
let api: ApiClient;
let tenantId: string;
beforeAll(async () => {
  ({ api, tenantId } = await newTenantOf(apiUrl, adminKey));
});

describe('accounts', () => {
  it('are created, shown and listed newest first, page by page', async () => {
    const { api: own } = await newTenantOf(apiUrl, adminKey);
    const made: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      const { status, body } = await own.post('/v1/accounts', {
        currency: 'EUR',
        name,
        metadata: { team: 'a' },
      });
      expect(status).toBe(201);
      made.push(String(body.id));
    }

    const shown = await own.get(`/v1/accounts/${made[0]}`);
    expect(shown.body).toMatchObject({
      object: 'account',
      name: 'one',
      balance: '0',
      available: '0',
      held: '0',
      minBalance: '0',
      version: 0,
      status: 'active',
      metadata: { team: 'a' },
    });
    const first = await own.get<List>('/v1/accounts?limit=2');
    const second = await own.get<List>(`/v1/accounts?limit=2&cursor=${first.body.nextCursor}`);
    expect(first.body).toMatchObject({ hasMore: true });
    expect(second.body).toMatchObject({ hasMore: false });
    expect([...first.body.data, ...second.body.data].map((it) => it.id)).toEqual(made.reverse());
    const foreign = await api.get(`/v1/accounts?limit=2&cursor=${first.body.nextCursor}`);
    expect([foreign.status, foreign.body.code]).toEqual([400, 'invalid_cursor']);
  });

  it('claim their externalId: a second account with it is a conflict', async () => {
    const externalId = randomUUID();
    const first = await api.post('/v1/accounts', { currency: 'EUR', externalId });
    const second = await api.post('/v1/accounts', { currency: 'EUR', externalId });

    expect(first.body.externalId).toBe(externalId);
    expect([second.status, second.body.code]).toEqual([409, 'conflict']);
  });

  it('answer a repeated creation with the same account', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const all = await Promise.all(
      Array.from({ length: 10 }, () => api.post('/v1/accounts', { currency: 'EUR' }, key)),
    );

    expect(new Set(all.map((it) => it.body.id)).size).toBe(1);
    expect(new Set(all.map((it) => it.status))).toEqual(new Set([201]));
  });
});

describe('transactions', () => {
  it('credit, transfer and debit move money and show their entries', async () => {
    const [a, b] = await Promise.all([newAccount(api), newAccount(api)]);
    const currency = 'EUR';

    await api.post('/v1/transactions', { type: 'credit', accountId: a, amount: '1000', currency });
    const transfer = await api.post('/v1/transactions', {
      type: 'transfer',
      sourceAccountId: a,
      destinationAccountId: b,
      amount: 300,
      currency,
      reference: 'order-7',
      metadata: { order: '7' },
    });
    await api.post('/v1/transactions', { type: 'debit', accountId: b, amount: '50', currency });

    expect(transfer.status).toBe(201);
    expect(transfer.body).toMatchObject({
      object: 'transaction',
      status: 'posted',
      amount: '300',
      reference: 'order-7',
      entries: [
        { accountId: a, amount: '-300', seq: 2, balanceAfter: '700' },
        { accountId: b, amount: '300', seq: 1, balanceAfter: '300' },
      ],
    });
    expect((await api.get(`/v1/transactions/${transfer.body.id}`)).body).toEqual(transfer.body);
    expect((await api.get(`/v1/accounts/${a}`)).body.balance).toBe('700');
    expect((await api.get(`/v1/accounts/${b}`)).body.balance).toBe('250');
  });

  it('are made once by ten parallel copies of a request', async () => {
    const a = await newAccount(api, '1000');
    const key = { 'idempotency-key': randomUUID() };
    const debit = { type: 'debit', accountId: a, amount: '100', currency: 'EUR' };

    const all = await Promise.all(
      Array.from({ length: 10 }, () => api.post('/v1/transactions', debit, key)),
    );

    expect(all.map((it) => it.status)).toEqual(all.map(() => 201));
    expect(new Set(all.map((it) => it.body.id)).size).toBe(1);
    const replayed = all.filter((it) => it.headers.get('idempotent-replayed') === 'true');
    expect(replayed).toHaveLength(9);
    expect((await api.get(`/v1/accounts/${a}`)).body.balance).toBe('900');
  });

  it('refuse a key that was used with another body, and change nothing', async () => {
    const a = await newAccount(api, '1000');
    const key = { 'idempotency-key': randomUUID() };
    const debit = { type: 'debit', accountId: a, amount: '100', currency: 'EUR' };
    await api.post('/v1/transactions', debit, key);

    const reused = await api.post('/v1/transactions', { ...debit, amount: '101' }, key);

    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency_key_reused']);
    expect((await api.get(`/v1/accounts/${a}`)).body.balance).toBe('900');
  });

  it('remember a refusal under its key, also when the money has come since', async () => {
    const a = await newAccount(api, '10');
    const key = { 'idempotency-key': randomUUID() };
    const debit = { type: 'debit', accountId: a, amount: '11', currency: 'EUR' };

    const refused = await api.post('/v1/transactions', debit, key);
    await api.post('/v1/transactions', { ...debit, type: 'credit' });
    const again = await api.post('/v1/transactions', debit, key);

    expect([refused.status, refused.body.code]).toEqual([422, 'insufficient_funds']);
    expect([again.status, again.body.code]).toEqual([422, 'insufficient_funds']);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it.each<[string, Record<string, string>, number, string]>([
    [
      'an account that does not exist',
      { destinationAccountId: `acc_${'0'.repeat(26)}` },
      404,
      'not_found',
    ],
    ['one account twice', { destinationAccountId: 'same' }, 422, 'same_account'],
    ['another currency', { currency: 'USD' }, 422, 'currency_mismatch'],
  ])('refuse %s', async (_what, over, status, code) => {
    const [a, b] = await Promise.all([newAccount(api, '10'), newAccount(api)]);
    const transfer = {
      type: 'transfer',
      sourceAccountId: a,
      destinationAccountId: b,
      amount: '1',
      currency: 'EUR',
      ...over,
      ...(over.destinationAccountId === 'same' && { destinationAccountId: a }),
    };

    const answer = await api.post('/v1/transactions', transfer);

    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it('never overdraw under concurrent debits: they answer 201, 422 or 503', async () => {
    const a = await newAccount(api, '1000');
    const debit = { type: 'debit', accountId: a, amount: '90', currency: 'EUR' };

    const all = await Promise.all(
      Array.from({ length: 40 }, () => api.post('/v1/transactions', debit)),
    );

    const counts = Map.groupBy(all, (it) => it.status);
    const posted = counts.get(201)?.length ?? 0;
    expect(posted).toBeLessThanOrEqual(11);
    expect([...counts.keys()].filter((it) => ![201, 422, 503].includes(it))).toEqual([]);
    for (const busy of counts.get(503) ?? []) {
      expect([busy.body.code, busy.headers.get('retry-after')]).toEqual(['busy', '1']);
    }
    const { body } = await api.get(`/v1/accounts/${a}`);
    expect(body.balance).toBe(String(1000 - 90 * posted));
  });
});

it('leaves a ledger in which every invariant holds', async () => {
  const snapshot = await snapshotOf(tenantId);

  expect(snapshot.ledger.length).toBeGreaterThan(20);
  expect(checkLedger(snapshot)).toEqual([]);
});

interface List {
  readonly data: readonly { readonly id: string }[];
  readonly nextCursor?: string;
}
