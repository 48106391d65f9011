import { expect, inject, it } from 'vitest';
import { apiClient, newTenantOf } from '../support/api.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey } = inject('cloud');

it('tells a key its limit, refuses above it, and lets it on again', async () => {
  const { api } = await newTenantOf(apiUrl, adminKey);
  const rateLimit = { perSecond: 2, burst: 5 };
  const body = { name: 'slow', scopes: ['ledger:read'], rateLimit };
  const slow = apiClient(apiUrl, (await api.post<{ key: string }>('/v1/keys', body)).body.key);

  const ask = () => Promise.all(Array.from({ length: 15 }, () => slow.get('/v1/accounts')));
  const all: Awaited<ReturnType<typeof ask>> = [];
  // While a slow machine answers them as many tokens may accrue as they take.
  const startMs = Date.now();
  const answers = await until(
    async () => {
      all.push(...(await ask()));
      return all;
    },
    (them) => them.some(({ status }) => status === 429),
  );
  const seconds = (Date.now() - startMs) / 1_000;
  const passed = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 429);

  expect(passed.length + refused.length).toBe(answers.length);
  expect(passed.length).toBeGreaterThanOrEqual(5);
  // Five at once, then two a second, and as much again as one lease of an instance has.
  expect(passed.length).toBeLessThanOrEqual(5 + 2 * seconds + 2);
  for (const { headers } of answers) {
    expect(headers.get('ratelimit-policy')).toBe('"default";q=2;w=1');
    expect(headers.get('ratelimit')).toMatch(/^"default";r=[0-2];t=1$/);
  }
  for (const { headers, body } of refused) {
    expect(headers.get('retry-after')).toMatch(/^[12]$/);
    expect(body).toMatchObject({ code: 'rate_limited', retryable: true });
  }
  const closed = await until(
    () => slow.get('/v1/keys'),
    ({ status }) => status !== 429,
  );
  expect([closed.status, closed.headers.get('ratelimit-policy')]).toEqual([
    403,
    '"default";q=2;w=1',
  ]);
  // Another key of the same tenant has tokens of its own.
  expect((await api.get('/v1/accounts')).status).toBe(200);
});

it('has no limit for the operator, and none for strangers on this machine', async () => {
  const admin = apiClient(apiUrl, adminKey);
  const nobody = apiClient(apiUrl, 'nonsense');
  const [tenants, strangers] = await Promise.all([
    Promise.all(Array.from({ length: 25 }, () => admin.get('/v1/tenants?limit=1'))),
    Promise.all(Array.from({ length: 25 }, () => nobody.get('/v1/accounts'))),
  ]);

  expect(new Set(tenants.map(({ status }) => status))).toEqual(new Set([200]));
  expect(tenants[0]?.headers.get('ratelimit')).toBeNull();
  expect(new Set(strangers.map(({ status }) => status))).toEqual(new Set([401]));
  expect(strangers[0]?.headers.get('ratelimit')).toBeNull();
});
