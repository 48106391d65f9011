import { beforeAll, describe, expect, inject, it } from 'vitest';
import { newAccount, newTenantOf, type TestTenant } from '../support/api.ts';
import { type RawAnswer, sendRaw } from '../support/raw-http.ts';
import { expectRefusal } from '../support/refusal.ts';
import { until } from '../support/until.ts';

/** Refusals of requests that are in order, for what they find. */
const { apiUrl, adminKey } = inject('cloud');
let tenant: TestTenant;
let rich: string;
let other: string;
beforeAll(async () => {
  tenant = await newTenantOf(apiUrl, adminKey);
  [rich, other] = await Promise.all([newAccount(tenant.api, '1000'), newAccount(tenant.api)]);
});

let requests = 0;
const send = (method: string, target: string, body?: object, key = tenant.key) =>
  sendRaw(apiUrl, {
    method,
    target,
    headers: [
      `authorization: Bearer ${key}`,
      `idempotency-key: state-${++requests}`,
      ...(body ? ['content-type: application/json'] : []),
    ],
    ...(body && { body: JSON.stringify(body) }),
  });
const post = (target: string, body: object = {}) => send('POST', target, body);
const idOf = ({ status, text }: RawAnswer): string => {
  expect(status, text).toBeLessThan(300);
  return String(JSON.parse(text).id);
};
const money = { amount: '1', currency: 'EUR' };
const credit = (accountId: string, more: object = {}) => ({
  type: 'credit',
  accountId,
  ...money,
  ...more,
});
const stateOf = async (id: string) => (await tenant.api.get(`/v1/accounts/${id}`)).body;

/** Expects the refusal, and both accounts as they were. */
async function leavesAll(
  answer: () => Promise<RawAnswer>,
  code: Parameters<typeof expectRefusal>[1],
) {
  const before = [await stateOf(rich), await stateOf(other)];
  expectRefusal(await answer(), code);
  expect([await stateOf(rich), await stateOf(other)]).toEqual(before);
}

describe('an account', () => {
  it.each([
    ['frozen', 'account_frozen'],
    ['closed', 'account_closed'],
  ] as const)('that is %s takes nothing: %s', async (status, code) => {
    const id = await newAccount(tenant.api);
    expect((await send('PATCH', `/v1/accounts/${id}`, { status })).status).toBe(200);
    const transfer = {
      type: 'transfer',
      sourceAccountId: rich,
      destinationAccountId: id,
      ...money,
    };

    await leavesAll(() => post('/v1/transactions', transfer), code);
    await leavesAll(
      () => post('/v1/holds', { accountId: id, ...money, destinationAccountId: rich }),
      code,
    );
  });

  it('is not closed with money in it: conflict', () =>
    leavesAll(() => send('PATCH', `/v1/accounts/${rich}`, { status: 'closed' }), 'conflict'));

  it('takes no more than its maximum: limit_exceeded', async () => {
    const id = idOf(await post('/v1/accounts', { currency: 'EUR', maxBalance: '5' }));
    const transfer = {
      type: 'transfer',
      sourceAccountId: rich,
      destinationAccountId: id,
      currency: 'EUR',
    };

    await leavesAll(() => post('/v1/transactions', { ...transfer, amount: '6' }), 'limit_exceeded');
    expectRefusal(await post('/v1/transactions', credit(id, { amount: '6' })), 'limit_exceeded');
  });

  it('that is derived has no holds: not_available', async () => {
    const id = idOf(await post('/v1/accounts', { currency: 'EUR', mode: 'derived' }));
    const hold = { accountId: id, ...money, destinationAccountId: rich };
    await leavesAll(() => post('/v1/holds', hold), 'not_available');
  });
});

describe('a transaction', () => {
  it.each([
    ['another version', { version: 99 }],
    ['less than is wanted', { minAvailable: '1001' }],
  ])('finds %s: precondition_failed', async (_what, condition) => {
    const preconditions = [{ accountId: rich, ...condition }];
    await leavesAll(
      () => post('/v1/transactions', credit(rich, { preconditions })),
      'precondition_failed',
    );
  });

  it('is reversed once: already_reversed, and no reversal is: conflict', async () => {
    const id = idOf(await post('/v1/transactions', credit(rich)));
    const reversal = idOf(await post(`/v1/transactions/${id}/reversals`));

    await leavesAll(() => post(`/v1/transactions/${id}/reversals`), 'already_reversed');
    await leavesAll(() => post(`/v1/transactions/${reversal}/reversals`), 'conflict');
  });

  it('of too many accounts does not fit: batch_too_large', async () => {
    const transactions = Array.from({ length: 100 }, () => credit(rich));
    const batch = { atomic: true, transactions };
    await leavesAll(() => post('/v1/transactions/batch', batch), 'batch_too_large');
  });

  it('comes with at most 99 others: payload_too_large', async () => {
    const transactions = Array.from({ length: 101 }, () => credit(rich));
    const batch = { atomic: true, transactions };
    await leavesAll(() => post('/v1/transactions/batch', batch), 'payload_too_large');
  });

  it('that is refused refuses all of its batch', async () => {
    const debit = { type: 'debit', accountId: other, ...money };
    const batch = { atomic: true, transactions: [credit(rich), debit] };
    await leavesAll(() => post('/v1/transactions/batch', batch), 'insufficient_funds');
  });
});

describe('a hold', () => {
  const hold = (more: object = {}) => ({
    accountId: rich,
    ...money,
    destinationAccountId: other,
    ...more,
  });

  it('of more than there is: insufficient_funds', () =>
    leavesAll(() => post('/v1/holds', hold({ amount: '100000' })), 'insufficient_funds'));

  it('is resolved once: hold_resolved', async () => {
    const id = idOf(await post('/v1/holds', hold()));
    idOf(await post(`/v1/holds/${id}/void`));

    await leavesAll(() => post(`/v1/holds/${id}/capture`), 'hold_resolved');
    await leavesAll(() => post(`/v1/holds/${id}/void`), 'hold_resolved');
  });

  it('gives no more than it holds: limit_exceeded', async () => {
    const id = idOf(await post('/v1/holds', hold()));
    await leavesAll(() => post(`/v1/holds/${id}/capture`, { amount: '2' }), 'limit_exceeded');
  });
});

describe('a key', () => {
  const keyOf = async (body: object) =>
    JSON.parse((await post('/v1/keys', { name: 'k', ...body })).text).key;

  it('opens what it was made for: forbidden_scope', async () => {
    const key = await keyOf({ scopes: ['ledger:read'] });

    expect((await send('GET', '/v1/accounts', undefined, key)).status).toBe(200);
    await leavesAll(() => send('POST', '/v1/transactions', credit(rich), key), 'forbidden_scope');
    expectRefusal(await send('GET', '/v1/endpoints', undefined, key), 'forbidden_scope');
    expectRefusal(
      await send('POST', '/v1/keys', { name: 'more', scopes: ['*'] }, key),
      'forbidden_scope',
    );
  });

  it('that has expired is no key: unauthorized', async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString();
    const key = await keyOf({ scopes: ['*'], expiresAt });
    const answer = await until(
      () => send('GET', '/v1/accounts', undefined, key),
      ({ status }) => status !== 200,
    );
    expectRefusal(answer, 'unauthorized');
  });
});
