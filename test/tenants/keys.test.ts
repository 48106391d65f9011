import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestWorld, testWorld } from '../support/world.ts';
import { type Ask, newTenantAt, tenantsInstance } from './tenants-api.ts';

let world: TestWorld;
let ask: Ask;
let tenantId: string;
let key: string;
let adminKey: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ask = tenantsInstance(world);
  ({ tenantId, key, adminKey } = await newTenantAt(ask, world));
});

const make = async (body: object, by = key) =>
  (await ask('POST /v1/keys', { key: by, body: { name: 'k', scopes: ['*'], ...body } })).body;
const opens = async (raw: string | undefined, instance = ask) =>
  (await instance('GET /v1/tenant', { key: raw })).status;
const inMs = (ms: number) => new Date(world.clock.nowMs() + ms).toISOString();

describe('a new key', () => {
  it('opens what its scopes say, and is shown once', async () => {
    const body = { name: 'reader', scopes: ['keys:read'] };
    const asked = { key, body, idempotencyKey: 'one' };
    const made = await ask('POST /v1/keys', asked);
    const again = await ask('POST /v1/keys', asked);
    const reader = made.body.key;

    expect([made.status, again.status]).toEqual([201, 201]);
    expect(made.body).toMatchObject({
      ...{ object: 'key', name: 'reader', scopes: ['keys:read'], status: 'active' },
      lastFour: made.body.key?.slice(-4),
    });
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.body).toEqual({ ...made.body, key: undefined });
    expect((await ask('GET /v1/keys', { key: reader })).status).toBe(200);
    expect((await ask('POST /v1/keys', { key: reader, body })).status).toBe(403);
  });

  it('is found again by its Idempotency-Key when it could not be made any more', async () => {
    const rateLimit = { perSecond: 100, burst: 200 };
    const body = { name: 'brief', scopes: ['*'], rateLimit, expiresAt: inMs(1_000) };
    const asked = { key, body, idempotencyKey: 'late' };
    const made = await ask('POST /v1/keys', asked);
    world.clock.advance(2_000);
    const limits = { requestsPerSecond: 1, burst: 1 };
    await ask(`PATCH /v1/tenants/${tenantId}`, { key: adminKey, body: { limits } });

    const again = await ask('POST /v1/keys', asked);

    expect([again.status, again.body.id, again.body.status]).toEqual([
      ...[201, made.body.id, 'expired'],
    ]);
  });

  it('refuses the Idempotency-Key of another key', async () => {
    await ask('POST /v1/keys', { key, body: { name: 'a', scopes: ['*'] }, idempotencyKey: 'two' });
    const other = { key, body: { name: 'b', scopes: ['*'] }, idempotencyKey: 'two' };

    expect((await ask('POST /v1/keys', other)).body.code).toBe('idempotency_key_reused');
  });

  it.each([
    ['no name', { name: '' }, '/name'],
    ['no scopes', { scopes: [] }, '/scopes'],
    ['an unknown scope', { scopes: ['ledger:admin'] }, '/scopes/0'],
    ['a scope twice', { scopes: ['keys:read', 'keys:read'] }, '/scopes'],
    [
      'a limit above its tenant',
      { rateLimit: { perSecond: 101, burst: 1 } },
      '/rateLimit/perSecond',
    ],
    ['a burst above its tenant', { rateLimit: { perSecond: 1, burst: 201 } }, '/rateLimit/burst'],
    ['half a limit', { rateLimit: { perSecond: 1 } }, '/rateLimit/burst'],
    ['a limit of none', { rateLimit: { perSecond: 0, burst: 1 } }, '/rateLimit/perSecond'],
    ['an end that is past', { expiresAt: '2026-11-21T12:00:00Z' }, '/expiresAt'],
    ['a field of the answer', { id: 'key_1' }, '/id'],
  ])('with %s is refused with where that is', async (_what, wrong, pointer) => {
    const body = { name: 'k', scopes: ['*'], ...wrong };
    const refused = await ask('POST /v1/keys', { key, body });

    expect([refused.status, refused.body.code]).toEqual([422, 'validation_failed']);
    expect(refused.body.errors.map((it) => it.pointer)).toEqual([pointer]);
  });

  it('cannot do more than the key that made it', async () => {
    const clerk = (await make({ scopes: ['keys:write', 'ledger:read'] })).key;
    const outcome = async (scopes: string[]) => {
      const answer = await ask('POST /v1/keys', { key: clerk, body: { name: 'k', scopes } });
      return answer.body.code ?? answer.status;
    };

    expect(await outcome(['ledger:read'])).toBe(201);
    expect(await outcome(['ledger:write'])).toBe('forbidden_scope');
    expect(await outcome(['*'])).toBe('forbidden_scope');
  });

  it('costs two reads and five writes, of which one is for the list', async () => {
    await make({});
    world.units.splice(0);
    await make({});
    // The token of the rate limit is not the key's.
    const units = world.units.filter((it) => it.operation !== 'update');
    const each = units.map((it) => it.consumed[0]?.CapacityUnits);

    expect(each).toEqual([1, 1, 5]);
  });
});

describe('the end of a key', () => {
  it('is where it expires, also on an instance that remembers it', async () => {
    const { key: brief } = await make({ expiresAt: inMs(10_000) });

    expect(await opens(brief)).toBe(200);
    world.clock.advance(9_999);
    expect(await opens(brief)).toBe(200);
    world.clock.advance(1);
    expect(await opens(brief)).toBe(401);
  });

  it('is where it is revoked, within 30 seconds where it is remembered', async () => {
    const other = tenantsInstance(world);
    const { id, key: doomed } = await make({});
    await opens(doomed, other);
    world.clock.advance(1);
    const revoked = await ask(`DELETE /v1/keys/${id}`, { key });

    expect([revoked.status, revoked.body.status]).toEqual([200, 'revoked']);
    expect(await opens(doomed, tenantsInstance(world))).toBe(401);
    world.clock.advance(29_998);
    expect(await opens(doomed, other)).toBe(200);
    world.clock.advance(1);
    expect(await opens(doomed, other)).toBe(401);
  });

  it('stays what it was when it is revoked again', async () => {
    const { id } = await make({});
    const first = await ask(`DELETE /v1/keys/${id}`, { key });
    world.clock.advance(5_000);
    const second = await ask(`DELETE /v1/keys/${id}`, { key });

    expect([second.status, second.body]).toEqual([200, first.body]);
    expect((await ask(`GET /v1/keys/${id}`, { key })).body).toEqual(first.body);
  });

  it('is not for a key that may do less', async () => {
    const { id } = await make({});
    const clerk = (await make({ scopes: ['keys:write'] })).key;
    const codes = [
      (await ask(`DELETE /v1/keys/${id}`, { key: clerk })).body.code,
      (await ask(`POST /v1/keys/${id}/rotate`, { key: clerk, body: {} })).body.code,
    ];

    expect(codes).toEqual(['forbidden_scope', 'forbidden_scope']);
  });

  it('may be set by a slower and shorter key of its scopes, and by itself', async () => {
    const leaked = await make({ scopes: ['ledger:read'] });
    const rateLimit = { perSecond: 1, burst: 9 };
    const scopes = ['keys:write', 'ledger:read'];
    const { id, key: guard } = await make({ scopes, rateLimit, expiresAt: inMs(60_000) });
    const as = { key: guard };
    const rotated = await ask(`POST /v1/keys/${leaked.id}/rotate`, { ...as, body: {} });
    const ended = await ask(`DELETE /v1/keys/${leaked.id}`, as);
    const itself = await ask(`DELETE /v1/keys/${id}`, as);

    expect(rotated.body.code).toBe('forbidden_scope');
    expect([ended.body.status, itself.body.status]).toEqual(['revoked', 'revoked']);
    expect(await opens(leaked.key, tenantsInstance(world))).toBe(401);
  });
});

describe('rotation', () => {
  it('makes a key with the same rights and ends the old one', async () => {
    const limit = { perSecond: 7, burst: 9 };
    const old = await make({ scopes: ['ledger:read'], rateLimit: limit, expiresAt: inMs(1e6) });
    const rotated = await ask(`POST /v1/keys/${old.id}/rotate`, { key, body: {} });
    const { id: _, key: raw, lastFour, ...rights } = rotated.body;

    expect(rotated.status).toBe(201);
    expect(rights).toMatchObject({
      ...{ name: old.name, scopes: old.scopes, rateLimit: limit, expiresAt: old.expiresAt },
      status: 'active',
    });
    expect(lastFour).toBe(raw?.slice(-4));
    expect([await opens(raw), await opens(old.key)]).toEqual([200, 401]);
  });

  it('lets the old key live on as long as it is told', async () => {
    const old = await make({});
    const body = { overlapSeconds: 60 };
    const rotated = await ask(`POST /v1/keys/${old.id}/rotate`, { key, body });
    const known = (await ask(`GET /v1/keys/${old.id}`, { key })).body;

    expect(known).toMatchObject({ status: 'active', revokedAt: inMs(60_000) });
    world.clock.advance(59_999);
    expect([await opens(old.key), await opens(rotated.body.key)]).toEqual([200, 200]);
    world.clock.advance(1);
    expect([await opens(old.key), await opens(rotated.body.key)]).toEqual([401, 200]);
    expect((await ask(`GET /v1/keys/${old.id}`, { key })).body.status).toBe('revoked');
  });

  it('never lengthens a life, and leaves the successor none of the overlap', async () => {
    const old = await make({});
    const rotate = (overlapSeconds: number) =>
      ask(`POST /v1/keys/${old.id}/rotate`, { key, body: { overlapSeconds } });
    await rotate(60);
    const end = inMs(60_000);
    const second = await rotate(120);

    expect(second.body.revokedAt).toBeUndefined();
    expect((await ask(`GET /v1/keys/${old.id}`, { key })).body.revokedAt).toBe(end);
  });

  it('replays without the key, also when the old key has ended by it', async () => {
    const old = await make({});
    const asked = { key, body: {}, idempotencyKey: 'rotate' };
    const first = await ask(`POST /v1/keys/${old.id}/rotate`, asked);
    const again = await ask(`POST /v1/keys/${old.id}/rotate`, asked);

    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.body).toEqual({ ...first.body, key: undefined });
  });

  it('of a key that has ended is a conflict', async () => {
    const { id } = await make({});
    await ask(`DELETE /v1/keys/${id}`, { key });
    const refused = await ask(`POST /v1/keys/${id}/rotate`, { key, body: {} });

    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
  });

  it('of two at once under one Idempotency-Key makes one key', async () => {
    const old = await make({});
    const asked = { key, body: { overlapSeconds: 5 }, idempotencyKey: 'race' };
    const both = await Promise.all([1, 2].map(() => ask(`POST /v1/keys/${old.id}/rotate`, asked)));

    expect(new Set(both.map((it) => it.body.id)).size).toBe(1);
    expect(both.filter((it) => it.body.key !== undefined)).toHaveLength(1);
  });
});

describe('the operator', () => {
  it('makes a tenant and its first key for 8 WRU', async () => {
    world.units.splice(0);
    await newTenantAt(ask, world);

    expect(world.takeUnits()).toBe(8);
  });

  it('makes a key for a tenant that has lost its own', async () => {
    const made = await ask(`POST /v1/tenants/${tenantId}/keys`, { key: adminKey, body: {} });

    expect([made.status, made.body.scopes]).toEqual([201, ['*']]);
    expect((await ask('GET /v1/tenant', { key: made.body.key })).body.id).toBe(tenantId);
  });

  it('makes none for nobody', async () => {
    const nobody = `/v1/tenants/ten_${'0'.repeat(26)}`;

    expect((await ask(`POST ${nobody}/keys`, { key: adminKey, body: {} })).status).toBe(404);
    expect((await ask(`PATCH ${nobody}`, { key: adminKey, body: { name: 'x' } })).status).toBe(404);
    expect((await ask(`PATCH ${nobody}`, { key: adminKey, body: {} })).status).toBe(404);
  });

  it('changes the limits of a tenant one by one', async () => {
    const patch = (body: object) => ask(`PATCH /v1/tenants/${tenantId}`, { key: adminKey, body });
    const first = (await ask('GET /v1/tenant', { key })).body.limits;
    await patch({ name: 'Acme Ltd', limits: { requestsPerSecond: 50 } });
    const { body } = await patch({ limits: { burst: 60 } });

    expect(first).toEqual({ requestsPerSecond: 100, burst: 200, endpoints: 1_000 });
    expect(body).toMatchObject({
      name: 'Acme Ltd',
      limits: { requestsPerSecond: 50, burst: 60 },
    });
    expect((await patch({ limits: { burst: 0 } })).body.errors[0]?.pointer).toBe('/limits/burst');
  });
});

describe('a key that may make keys', () => {
  const outcome = async (by: string | undefined, call: string, body: object) => {
    const answer = await ask(call, { key: by, body });
    return answer.body.code ?? answer.status;
  };
  const wish = { name: 'k', scopes: ['keys:write'] };

  it('makes none once it is revoked, however well it is remembered', async () => {
    const leaked = await make({ scopes: ['keys:write'] });
    expect(await opens(leaked.key)).toBe(200);
    await tenantsInstance(world)(`DELETE /v1/keys/${leaked.id}`, { key });

    expect(await outcome(leaked.key, 'POST /v1/keys', wish)).toBe('unauthorized');
    const rotate = `POST /v1/keys/${leaked.id}/rotate`;
    expect(await outcome(leaked.key, rotate, {})).toBe('unauthorized');
    const end = await ask(`DELETE /v1/keys/${leaked.id}`, { key: leaked.key });
    expect(end.status).toBe(401);
  });

  it('makes none that outlives it', async () => {
    const brief = (await make({ scopes: ['keys:write'], expiresAt: inMs(60_000) })).key;
    const making = (expiresAt?: string) =>
      outcome(brief, 'POST /v1/keys', { ...wish, ...(expiresAt && { expiresAt }) });

    expect(await making()).toBe('forbidden_scope');
    expect(await making(inMs(60_001))).toBe('forbidden_scope');
    expect(await making(inMs(60_000))).toBe(201);
  });

  it('makes none that may call more often', async () => {
    const rateLimit = { perSecond: 10, burst: 20 };
    const slow = (await make({ scopes: ['keys:write'], rateLimit })).key;
    const making = (limit?: object) =>
      outcome(slow, 'POST /v1/keys', { ...wish, ...(limit && { rateLimit: limit }) });

    expect(await making()).toBe('forbidden_scope');
    expect(await making({ perSecond: 11, burst: 20 })).toBe('forbidden_scope');
    expect(await making({ perSecond: 10, burst: 21 })).toBe('forbidden_scope');
    expect(await making(rateLimit)).toBe(201);
  });

  it('is given no stronger key by rotating one', async () => {
    const brief = (await make({ scopes: ['*'], expiresAt: inMs(60_000) })).key;
    const lasting = await make({ scopes: ['keys:read'] });

    const rotate = `POST /v1/keys/${lasting.id}/rotate`;
    expect(await outcome(brief, rotate, {})).toBe('forbidden_scope');
    expect(await outcome(key, rotate, {})).toBe(201);
  });
});
