import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, apiClient, newTenantOf } from '../support/api.ts';
import { inTime } from '../support/in-time.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey } = inject('cloud');
const admin = apiClient(apiUrl, adminKey);
const nobodys = `key_${'0'.repeat(26)}`;

interface Key {
  readonly id: string;
  readonly key: string;
  readonly lastFour: string;
  readonly status: string;
}

interface Page {
  readonly data: Key[];
  readonly hasMore: boolean;
  readonly nextCursor?: string;
}

let api: ApiClient;
let tenantId: string;
beforeAll(async () => {
  ({ api, tenantId } = await newTenantOf(apiUrl, adminKey));
});

const make = async (body: object = {}) =>
  (await api.post<Key>('/v1/keys', { name: 'k', scopes: ['*'], ...body })).body;
const as = (key: string) => apiClient(apiUrl, key);
const opens = async (key: string) => (await as(key).get('/v1/tenant')).status;
const send = (client: ApiClient, method: string, path: string, body?: object) =>
  client.send(path, {
    method,
    ...(body && { body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json' },
  });

describe('keys', () => {
  it('open what their scopes say and nothing else', async () => {
    const reader = as((await make({ scopes: ['ledger:read'] })).key);

    expect((await reader.get('/v1/accounts')).status).toBe(200);
    expect((await reader.post('/v1/accounts', { currency: 'EUR' })).status).toBe(403);
    expect((await reader.get('/v1/keys')).body.code).toBe('forbidden_scope');
    expect((await reader.get('/v1/tenant')).body.id).toBe(tenantId);
  });

  it('are listed with their last four, page by page, and never as a whole', async () => {
    const own = (await newTenantOf(apiUrl, adminKey)).api;
    for (const name of ['one', 'two', 'three']) await own.post('/v1/keys', { name, scopes: ['*'] });
    const first = await until(
      () => own.get<Page>('/v1/keys?limit=3'),
      ({ body }) => body.hasMore,
    );
    const rest = await own.get<Page>(`/v1/keys?limit=3&cursor=${first.body.nextCursor}`);
    const all = [...first.body.data, ...rest.body.data];

    expect(all.map((it) => Reflect.get(it, 'name'))).toEqual(['three', 'two', 'one', 'first key']);
    expect(all.every((it) => it.lastFour.length === 4 && it.key === undefined)).toBe(true);
    expect(rest.body.hasMore).toBe(false);
    const stolen = await api.get(`/v1/keys?limit=3&cursor=${first.body.nextCursor}`);
    expect([stolen.status, stolen.body.code]).toEqual([400, 'invalid_cursor']);
  });

  it('that are revoked stay listed as such, and open nothing after 30 seconds', async () => {
    const doomed = await make();
    const revoked = await send(api, 'DELETE', `/v1/keys/${doomed.id}`);
    const again = await send(api, 'DELETE', `/v1/keys/${doomed.id}`);

    expect([revoked.status, revoked.body.status]).toEqual([200, 'revoked']);
    expect([again.status, again.body]).toEqual([200, revoked.body]);
    expect(await opens(doomed.key)).toBe(401);
    expect((await api.get<Key>(`/v1/keys/${doomed.id}`)).body.status).toBe('revoked');
  });

  it('expire when they say', async () => {
    const { id, key, expiresAt } = await inTime(1_500, async (ms) => {
      const asked = { expiresAt: new Date(Date.now() + ms).toISOString() };
      const made = await make(asked);
      return (await opens(made.key)) === 200 ? { ...made, ...asked } : undefined;
    });

    await until(
      () => opens(key),
      (status) => status === 401,
    );
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
    expect((await api.get(`/v1/keys/${id}`)).body).toMatchObject({ status: 'expired', expiresAt });
  });

  it('are rotated with an overlap in which both open', async () => {
    const { old, body } = await inTime(2_000, async (ms) => {
      const before = await make({ scopes: ['ledger:read'] });
      const rotate = { overlapSeconds: ms / 1_000 };
      const after = await api.post<Key>(`/v1/keys/${before.id}/rotate`, rotate);
      expect([after.status, Reflect.get(after.body, 'scopes')]).toEqual([201, ['ledger:read']]);
      const both = [await opens(after.body.key), await opens(before.key)];
      expect(both[0]).toBe(200);
      return both[1] === 200 ? { old: before, body: after.body } : undefined;
    });

    await until(
      () => opens(old.key),
      (it) => it === 401,
    );
    expect(await opens(body.key)).toBe(200);
  });

  it('of another tenant are like keys that do not exist', async () => {
    const theirs = (await newTenantOf(apiUrl, adminKey)).api;
    const { id } = await make();
    const answers = await Promise.all(
      [id, nobodys, 'nonsense'].flatMap((it) => [
        theirs.get(`/v1/keys/${it}`),
        send(theirs, 'DELETE', `/v1/keys/${it}`),
        send(theirs, 'POST', `/v1/keys/${it}/rotate`, {}),
      ]),
    );

    expect(answers.map((it) => it.status)).toEqual(Array.from({ length: 9 }, () => 404));
    expect((await api.get(`/v1/keys/${id}`)).body.status).toBe('active');
  });
});

describe('whoever has no valid key', () => {
  it('gets one same answer, whatever is wrong', async () => {
    const revoked = await make();
    await send(api, 'DELETE', `/v1/keys/${revoked.id}`);
    const expiring = await inTime(500, async (ms) => {
      const made = await make({ expiresAt: new Date(Date.now() + ms).toISOString() });
      return made.key === undefined ? undefined : made;
    });
    await until(
      () => opens(expiring.key),
      (it) => it === 401,
    );
    const unknown = `${revoked.key.slice(0, -4)}AAAA`;
    const keys = ['', 'nonsense', unknown, `${adminKey}x`, revoked.key, expiring.key];
    const answers = await Promise.all(
      keys.map(async (key) => {
        const { status, headers, body } = await as(key).get('/v1/accounts');
        const { requestId: _, ...rest } = body;
        return { status, challenge: headers.get('www-authenticate'), ...rest };
      }),
    );

    expect(answers[0]).toMatchObject({ status: 401, code: 'unauthorized' });
    expect(new Set(answers.map((it) => JSON.stringify(it))).size).toBe(1);
  });
});

describe('the operator', () => {
  it('lists tenants, newest first, and pages through them', async () => {
    const names = ['first', 'second'].map((it) => `${it} ${Math.random()}`);
    for (const name of names) await admin.post('/v1/tenants', { name });
    const page = await until(
      () => admin.get<Page>('/v1/tenants?limit=1'),
      ({ body }) => body.hasMore,
    );
    const listed = page.body.data.map((it) => Reflect.get(it, 'name'));
    expect(listed).toHaveLength(1);
    // Others make tenants as well: there may be any number of newer ones.
    let cursor = page.body.nextCursor;
    while (cursor !== undefined && !listed.includes(names[0])) {
      const { body } = await admin.get<Page>(`/v1/tenants?limit=100&cursor=${cursor}`);
      listed.push(...body.data.map((it) => Reflect.get(it, 'name')));
      cursor = body.nextCursor;
    }

    expect(listed).toEqual(expect.arrayContaining(names));
    expect(listed.indexOf(names[1])).toBeLessThan(listed.indexOf(names[0]));
    expect((await api.get('/v1/tenants')).body.code).toBe('forbidden_scope');
  });

  it('changes the limits of a tenant, above which no key may be made', async () => {
    const limits = { requestsPerSecond: 5_000, burst: 300 };
    const patched = await send(admin, 'PATCH', `/v1/tenants/${tenantId}`, { limits });
    const rateLimit = { perSecond: 5_001, burst: 300 };
    const refused = await api.post('/v1/keys', { name: 'k', scopes: ['*'], rateLimit });

    expect(patched.status).toBe(200);
    expect(patched.body.limits).toMatchObject(limits);
    expect([refused.status, refused.body.code]).toEqual([422, 'validation_failed']);
    expect(refused.body.errors).toMatchObject([{ pointer: '/rateLimit/perSecond' }]);
  });

  it('makes a key again when the answer with the first one was lost', async () => {
    const path = `/v1/tenants/${tenantId}/keys`;
    const { status, body } = await admin.post<Key>(path, {});

    expect(status).toBe(201);
    expect((await as(body.key).get('/v1/tenant')).body.id).toBe(tenantId);
    expect((await api.post(path, {})).body.code).toBe('forbidden_scope');
  });
});
