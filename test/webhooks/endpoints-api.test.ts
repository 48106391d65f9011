import { beforeAll, describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../functions/shared/http/fingerprint.ts';
import { openGuardedSender } from '../../functions/shared/http/guarded-sender.ts';
import { parseJson } from '../../functions/shared/http/strict-json.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import { limitsOf } from '../../functions/tenants/tenant.ts';
import { findEndpoint, findSetVersion } from '../../functions/webhooks/endpoint.store.ts';
import { parseSecret } from '../../functions/webhooks/signature.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { type Ask, webhooksApi } from './api.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, SECRET } from './delivery-world.ts';

useStillTime();

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

const url = 'http://127.0.0.1:4000/hook';

describe('POST /v1/endpoints', () => {
  it('makes an endpoint with defaults and shows its secret', async () => {
    const tenant = newTenant(world);
    const { status, body } = await ask(tenant, 'POST /v1/endpoints', { body: { url } });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      object: 'endpoint',
      url,
      status: 'active',
      retry: { maxAttempts: 11 },
      timeoutSeconds: 10,
      onUnknown: 'resend',
      createdAt: new Date(world.clock.nowMs()).toISOString(),
    });
    expect(Object.keys(body)).not.toContain('eventTypes');
    expect(parseSecret(body.secret ?? '')).toHaveLength(32);

    const path = `GET /v1/endpoints/${body.id}`;
    expect((await ask(tenant, path)).body).not.toHaveProperty('secret');
    expect((await ask(tenant, `${path}/secret`)).body).toEqual({ secret: body.secret });
    const item = await world.db.get('endpoints', { pk: tenant, sk: String(body.id) });
    expect(JSON.stringify(item)).not.toContain('whsec_');
  });

  it('takes everything that an endpoint can say', async () => {
    const tenant = newTenant(world);
    const settings = {
      url: 'https://127.0.0.1:8443/a?b=c',
      eventTypes: ['transaction.*', 'alert'],
      description: 'Für später',
      rateLimit: { perSecond: 0.5 },
      retry: { maxAttempts: 3, schedule: [1, 2.5] },
      timeoutSeconds: 2.5,
      onUnknown: 'stop',
    };
    const body = { ...settings, secret: SECRET };
    const made = await ask(tenant, 'POST /v1/endpoints', { body });
    expect(made.body).toMatchObject({ ...settings, secret: SECRET });
    const read = await ask(tenant, `GET /v1/endpoints/${made.body.id}`);
    expect(read.body).toMatchObject(settings);
  });

  it('refuses seconds that no clock of milliseconds knows, and no table can hold', async () => {
    const schedule = [5, 3.55e-182];
    const body = { url, retry: { schedule } };
    const refused = await ask(newTenant(world), 'POST /v1/endpoints', { body });

    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ errors: [{ pointer: '/retry/schedule/1' }] });
  });

  it.each([
    [{ eventTypes: [] }, '/eventTypes'],
    [{ eventTypes: ['*'] }, '/eventTypes/0'],
    [{ eventTypes: ['a.*.b'] }, '/eventTypes/0'],
    [{ eventTypes: ['Upper'] }, '/eventTypes/0'],
    [{ rateLimit: { perSecond: 0.009 } }, '/rateLimit/perSecond'],
    [{ rateLimit: { perSecond: 5_000.1 } }, '/rateLimit/perSecond'],
    [{ retry: { maxAttempts: 0 } }, '/retry/maxAttempts'],
    [{ retry: { maxAttempts: 31 } }, '/retry/maxAttempts'],
    [{ retry: { schedule: [] } }, '/retry/schedule'],
    [{ retry: { schedule: [-1] } }, '/retry/schedule/0'],
    [{ retry: { schedule: [86_401] } }, '/retry/schedule/0'],
    [{ timeoutSeconds: 0.9 }, '/timeoutSeconds'],
    [{ timeoutSeconds: 15.1 }, '/timeoutSeconds'],
    [{ secret: 'whsec_short' }, '/secret'],
    [{ onUnknown: 'maybe' }, '/onUnknown'],
    [{ url: undefined }, '/url'],
  ])('refuses %j at %s', async (fields, pointer) => {
    const body = { url, ...fields };
    const answer = await ask(newTenant(world), 'POST /v1/endpoints', { body });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: 'validation_failed', errors: [{ pointer }] });
  });

  it.each([
    [{ rateLimit: { perSecond: 0.01 } }],
    [{ rateLimit: { perSecond: 5_000 } }],
    [{ retry: { maxAttempts: 30, schedule: [0, 86_400] } }],
    [{ timeoutSeconds: 15 }],
  ])('takes %j', async (fields) => {
    const body = { url, ...fields };
    expect((await ask(newTenant(world), 'POST /v1/endpoints', { body })).status).toBe(201);
  });

  it.each(['ftp://127.0.0.1/', 'http://10.0.0.1/', 'http://user@127.0.0.1/', 'nonsense'])(
    'refuses to send to %s',
    async (bad) => {
      const answer = await ask(newTenant(world), 'POST /v1/endpoints', { body: { url: bad } });
      expect([answer.status, answer.body.code]).toEqual([422, 'url_not_allowed']);
    },
  );

  it('makes one endpoint of ten copies with one key, and shows the secret once', async () => {
    const tenant = newTenant(world);
    const copies = Array.from({ length: 10 }, () =>
      ask(tenant, 'POST /v1/endpoints', { body: { url }, key: 'k-1' }),
    );
    const answers = await Promise.all(copies);
    expect(answers.map((it) => it.status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map((it) => it.body.id)).size).toBe(1);
    expect(answers.filter((it) => it.body.secret !== undefined)).toHaveLength(1);
    expect(answers.filter((it) => it.headers['idempotent-replayed'] === 'true')).toHaveLength(9);

    const other = { body: { url, description: 'x' }, key: 'k-1' };
    const reused = await ask(tenant, 'POST /v1/endpoints', other);
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency_key_reused']);
  });

  it('keeps nothing of a request by which its headers can be guessed', async () => {
    const tenant = newTenant(world);
    const body = { url, headers: { authorization: 'password' } };
    const make = (given: object, doors = ask) =>
      doors(tenant, 'POST /v1/endpoints', { body: given, key: 'k-1' });
    const made = await make(body);
    const found = await findEndpoint(world.db, tenant, made.body.id);
    expect(found?.fingerprint).toMatch(/^k1:1:[\w-]{43}$/);

    const key = await world.secrets.read('master-key');
    const ring = JSON.stringify({ current: 2, keys: { 1: key, 2: 'b'.repeat(32) } });
    const rotated = webhooksApi({ ...world, secrets: { read: async () => ring } });
    const again = await make(body, rotated);
    expect([again.status, again.body.id]).toEqual([201, made.body.id]);
    const other = { url, headers: { authorization: 'passw0rd' } };
    expect((await make(other)).body.code).toBe('idempotency_key_reused');
    expect((await make(other, rotated)).body.code).toBe('idempotency_key_reused');
  });

  it('knows a request again that an earlier release has stored', async () => {
    const tenant = newTenant(world);
    const body = { url, headers: { authorization: 'password' } };
    const make = (given: object) => ask(tenant, 'POST /v1/endpoints', { body: given, key: 'k-1' });
    const made = await make(body);
    const { exactValue } = parseJson(Buffer.from(JSON.stringify(body)));
    const bare = fingerprintOf('POST', '/v1/endpoints', exactValue());
    await world.db.commit([
      {
        kind: 'update',
        table: 'endpoints',
        key: { pk: tenant, sk: made.body.id },
        update: 'SET fingerprint = :bare',
        values: { ':bare': bare },
      },
    ]);
    const again = await make(body);
    expect([again.status, again.body.id]).toEqual([201, made.body.id]);
    expect((await make({ url })).body.code).toBe('idempotency_key_reused');
  });

  it('answers a repetition like the first request, wherever the name leads by then', async () => {
    const tenant = newTenant(world);
    const addresses = [['127.0.0.1'], ['10.0.0.1'], []];
    const resolve = async () => addresses.shift() ?? [];
    const asking = webhooksApi({
      ...world,
      http: openGuardedSender({ egress: 'loopback', resolve }),
    });
    const body = { url: 'http://moving.test:4000/' };
    const make = () => asking(tenant, 'POST /v1/endpoints', { body, key: 'k-1' });
    const first = await make();
    const { secret: _, ...kept } = first.body;
    const again = await make();
    expect([again.status, again.body]).toEqual([201, kept]);
    expect(again.headers['idempotent-replayed']).toBe('true');

    await asking(tenant, `DELETE /v1/endpoints/${first.body.id}`);
    expect((await make()).body.code).toBe('conflict');
    const fresh = await asking(tenant, 'POST /v1/endpoints', { body, key: 'k-2' });
    expect(fresh.body.code).toBe('url_not_allowed');
  });

  it('raises the version of the set, and refuses one endpoint too many', async () => {
    const tenant = newTenant(world);
    expect(await findSetVersion(world.db, tenant)).toBe(0);
    await ask(tenant, 'POST /v1/endpoints', { body: { url } });
    expect(await findSetVersion(world.db, tenant)).toBe(1);
    const setMembers = (members: number) =>
      world.db.commit([
        {
          kind: 'update',
          table: 'endpoints',
          key: { pk: tenant, sk: 'V' },
          update: 'SET members = :members',
          values: { ':members': members },
        },
      ]);
    await setMembers(999);
    expect((await ask(tenant, 'POST /v1/endpoints', { body: { url } })).status).toBe(201);
    const full = await ask(tenant, 'POST /v1/endpoints', { body: { url } });
    expect([full.status, full.body.code]).toEqual([422, 'limit_exceeded']);
  });

  it('refuses more than the tenant may have, and keeps what it has', async () => {
    const tenant = newTenant(world);
    const about = { name: 'Acme', mode: 'live', createdAtMs: world.clock.nowMs() } as const;
    const limits = limitsOf({ endpoints: 2 });
    const settings = { requireIdempotencyKeys: false };
    await world.db.commit([insertTenant({ id: tenant, ...about, limits, settings })]);
    const make = async (key: string) =>
      (await ask(tenant, 'POST /v1/endpoints', { body: { url }, key })).status;

    expect([await make('one'), await make('two'), await make('three')]).toEqual([201, 201, 422]);
    expect(await make('two')).toBe(201);
  });

  it('hurries through the default schedule for a test tenant, also after a change', async () => {
    const tenant = newTenant(world);
    const about = { name: 'Trying', mode: 'test', createdAtMs: world.clock.nowMs() } as const;
    const settings = { requireIdempotencyKeys: false };
    await world.db.commit([insertTenant({ id: tenant, ...about, limits: limitsOf({}), settings })]);
    const { body } = await ask(tenant, 'POST /v1/endpoints', { body: { url } });
    expect(body).toMatchObject({ retry: { maxAttempts: 11 } });
    const found = async () => (await findEndpoint(world.db, tenant, body.id))?.retry;
    expect(await found()).toEqual({ maxAttempts: 11, isTest: true });
    await ask(tenant, `PATCH /v1/endpoints/${body.id}`, { body: { retry: { maxAttempts: 4 } } });
    expect(await found()).toEqual({ maxAttempts: 4, isTest: true });
  });
});

describe('GET /v1/endpoints', () => {
  it('pages through all of them, the newest first', async () => {
    const tenant = newTenant(world);
    const made: unknown[] = [];
    for (let n = 0; n < 5; n += 1) {
      world.clock.advance(1);
      const asked = { body: { url }, key: `key-${n}` };
      made.unshift((await ask(tenant, 'POST /v1/endpoints', asked)).body.id);
    }
    const seen: unknown[] = [];
    let cursor = '';
    do {
      const { body } = await ask(tenant, `GET /v1/endpoints?limit=2${cursor}`);
      seen.push(...body.data.map((it) => it.id));
      expect(body.hasMore).toBe(body.nextCursor !== undefined);
      cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : '';
    } while (cursor);
    expect(seen).toEqual(made);
  });

  it('lists those of one status', async () => {
    const { tenantId, id } = await newEndpoint(world, url, { status: 'paused' });
    await newEndpoint(world, url, { tenantId });
    const { body } = await ask(tenantId, 'GET /v1/endpoints?status=paused');
    expect(body.data.map((it) => it.id)).toEqual([id]);
    expect((await ask(tenantId, 'GET /v1/endpoints?status=odd')).status).toBe(422);
  });

  it('opens a cursor for its own tenant only', async () => {
    const tenant = newTenant(world);
    for (const _ of [1, 2]) await ask(tenant, 'POST /v1/endpoints', { body: { url } });
    const { body } = await ask(tenant, 'GET /v1/endpoints?limit=1');
    const foreign = `GET /v1/endpoints?cursor=${body.nextCursor}`;
    const answer = await ask(newTenant(world), foreign);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_cursor']);
  });

  it.each(['', '/secret'])('hides the endpoint of another tenant: %s', async (rest) => {
    const made = await ask(newTenant(world), 'POST /v1/endpoints', { body: { url } });
    const answer = await ask(newTenant(world), `GET /v1/endpoints/${made.body.id}${rest}`);
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  });
});
