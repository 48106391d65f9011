import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, apiClient, newAccount, newTenantOf } from '../support/api.ts';

const { apiUrl, adminKey } = inject('cloud');

describe('tenants and keys', () => {
  it('makes a tenant and its first key, which is shown once', async () => {
    const admin = apiClient(apiUrl, adminKey);
    const idempotent = { 'idempotency-key': `first-${Math.random()}` };

    const first = await admin.post<Tenant>('/v1/tenants', { name: 'Acme' }, idempotent);
    const again = await admin.post<Tenant>('/v1/tenants', { name: 'Acme' }, idempotent);

    expect(first.status).toBe(201);
    expect(first.body.apiKey?.key).toMatch(/^th_live_[0-9A-Z]{26}_[\w-]{43}$/);
    expect([again.status, again.body.id]).toEqual([201, first.body.id]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.body.apiKey).toBeUndefined();
  });

  it('refuses the same Idempotency-Key with another body', async () => {
    const admin = apiClient(apiUrl, adminKey);
    const idempotent = { 'idempotency-key': `reused-${Math.random()}` };
    await admin.post('/v1/tenants', { name: 'Acme' }, idempotent);

    const reused = await admin.post('/v1/tenants', { name: 'Other' }, idempotent);

    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency_key_reused']);
  });

  it('gives test tenants keys that say so', async () => {
    const admin = apiClient(apiUrl, adminKey);
    const { body } = await admin.post<Tenant>('/v1/tenants', { name: 'Try', mode: 'test' });

    expect(body.apiKey?.key).toMatch(/^th_test_/);
  });
});

describe('who may call what', () => {
  let alice: ApiClient;
  let bob: ApiClient;
  beforeAll(async () => {
    [{ api: alice }, { api: bob }] = await Promise.all([
      newTenantOf(apiUrl, adminKey),
      newTenantOf(apiUrl, adminKey),
    ]);
  });

  it.each([
    ['no key', ''],
    ['another scheme', 'Basic YTpi'],
    ['noise', 'Bearer th_live_nonsense'],
    [
      'a key of the right form that nobody made',
      `Bearer th_live_${'0'.repeat(26)}_${'a'.repeat(43)}`,
    ],
  ])('answers %s with one and the same 401', async (_what, authorization) => {
    const answer = await apiClient(apiUrl, '').send('/v1/accounts', { headers: { authorization } });

    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="tallyhook"');
    expect(answer.body).toMatchObject({
      code: 'unauthorized',
      detail: 'Send a valid key: Authorization: Bearer th_….',
    });
  });

  it('keeps the admin key to admin routes, and tenant keys off them', async () => {
    const admin = apiClient(apiUrl, adminKey);

    expect((await admin.get('/v1/accounts')).body.code).toBe('forbidden_scope');
    expect((await alice.post('/v1/tenants', { name: 'Mine' })).body.code).toBe('forbidden_scope');
  });

  it("answers another tenant's object like one that does not exist", async () => {
    const account = await newAccount(alice, '100');
    const transfer = { type: 'debit', accountId: account, amount: '1', currency: 'EUR' };

    const [theirs, nobodys] = await Promise.all([
      bob.get(`/v1/accounts/${account}`),
      bob.get(`/v1/accounts/acc_${'0'.repeat(26)}`),
    ]);
    const taken = await bob.post('/v1/transactions', transfer);

    expect([theirs.status, nobodys.status, taken.status]).toEqual([404, 404, 404]);
    expect({ ...theirs.body, instance: '', requestId: '' }).toEqual({
      ...nobodys.body,
      instance: '',
      requestId: '',
    });
    expect((await alice.get(`/v1/accounts/${account}`)).body.balance).toBe('100');
  });
});

interface Tenant {
  readonly id: string;
  readonly apiKey?: { readonly key?: string };
}
