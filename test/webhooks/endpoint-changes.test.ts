import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Write } from '../../functions/shared/world.ts';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import {
  findEndpoint,
  findSetVersion,
  saveEndpoint,
  setStatus,
} from '../../functions/webhooks/endpoint.store.ts';
import { countFailure, findHealth } from '../../functions/webhooks/health.store.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { verifyWebhook } from '../../functions/webhooks/signature.ts';
import { conflictingDb } from '../support/conflicting-db.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { type Ask, webhooksApi } from './api.ts';
import { sweepEndpoint, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  newEndpoint,
  recordOf,
  relayed,
  SECRET,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});
beforeEach(() => void world.sent.splice(0));

const url = 'http://127.0.0.1:4000/hook';
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

async function made(fields: object = {}) {
  const tenant = newTenant(world);
  const { body } = await ask(tenant, 'POST /v1/endpoints', { body: { url, ...fields }, key: 'k' });
  const path = `/v1/endpoints/${body.id}`;
  return {
    tenant,
    id: body.id,
    get: async () => (await ask(tenant, `GET ${path}`)).body,
    patch: (change: unknown) => ask(tenant, `PATCH ${path}`, { body: change }),
    remove: () => ask(tenant, `DELETE ${path}`),
    rotate: (rotation: unknown) => ask(tenant, `POST ${path}/secret/rotate`, { body: rotation }),
    secret: async () => (await ask(tenant, `GET ${path}/secret`)).body,
  };
}

const EVERYTHING = {
  url: 'http://127.0.0.1:4001/other',
  eventTypes: ['a.*', 'b'],
  description: 'Later',
  rateLimit: { perSecond: 2.5 },
  retry: { maxAttempts: 2, schedule: [1] },
  timeoutSeconds: 3.5,
  onUnknown: 'stop',
  fileDefaults: { message: 'Hello', idColumn: 2, eventType: 'alert' },
};
const HEADERS = { Authorization: 'Bearer of-the-tests', 'x-a': '' };

it('pauses an endpoint also while nobody gets at the master key', async () => {
  const { tenant, id, patch } = await made({ headers: { 'x-own': 'value' } });
  const read = () => Promise.reject(new Error('no secrets'));
  const without = webhooksApi({ ...world, secrets: { read } });
  const body = { status: 'paused' };
  const { status } = await without(tenant, `PATCH /v1/endpoints/${id}`, { body });
  expect(status).toBe(200);
  const { body: bare } = await patch({ headers: null });
  expect(bare).not.toHaveProperty('headers');
});

describe('PATCH /v1/endpoints/{id}', () => {
  it('replaces everything that it names', async () => {
    const endpoint = await made();
    const before = await endpoint.get();
    world.clock.advance(5);
    const { status, body } = await endpoint.patch({ ...EVERYTHING, headers: HEADERS });

    expect(status).toBe(200);
    expect(body).toEqual({
      ...before,
      ...EVERYTHING,
      headerNames: ['authorization', 'x-a'],
      updatedAt: new Date(world.clock.nowMs()).toISOString(),
    });
    expect(await endpoint.get()).toEqual(body);
  });

  it.each(Object.entries(EVERYTHING))('leaves all but %s as it was', async (name, value) => {
    const endpoint = await made();
    const { updatedAt: _, ...before } = await endpoint.get();
    await endpoint.patch({ [name]: value });
    expect(await endpoint.get()).toMatchObject({ ...before, [name]: value });
  });

  it.each(['eventTypes', 'description', 'rateLimit', 'fileDefaults'])(
    'takes %s away by null',
    async (name) => {
      const endpoint = await made(EVERYTHING);
      expect((await endpoint.patch({ [name]: null })).status).toBe(200);
      expect(await endpoint.get()).not.toHaveProperty(name);
    },
  );

  it('takes headers away, and goes back to the default of retries, by null', async () => {
    const endpoint = await made({ ...EVERYTHING, headers: HEADERS });
    const { body } = await endpoint.patch({ headers: null, retry: null });
    expect(body).toMatchObject({ headerNames: [], retry: { maxAttempts: 11 } });
    expect(body.retry).not.toHaveProperty('schedule');
    await endpoint.patch({ headers: HEADERS });
    expect((await endpoint.patch({ headers: {} })).body.headerNames).toEqual([]);
  });

  it('writes nothing where nothing changes', async () => {
    const endpoint = await made(EVERYTHING);
    const version = await findSetVersion(world.db, endpoint.tenant);
    world.takeUnits();
    for (const change of [{}, EVERYTHING, { status: undefined }, { url: EVERYTHING.url }]) {
      expect((await endpoint.patch(change)).status).toBe(200);
    }
    expect(world.takeUnits(), 'reads').toBe(4);
    expect(await findSetVersion(world.db, endpoint.tenant)).toBe(version);
  });

  it('costs a read and one transaction of two, and tells the relays', async () => {
    const endpoint = await made();
    const version = await findSetVersion(world.db, endpoint.tenant);
    world.takeUnits();
    await endpoint.patch({ description: 'x' });
    expect(world.takeUnits()).toBe(1 + 4);
    expect(await findSetVersion(world.db, endpoint.tenant)).toBe(version + 1);
  });

  it.each([
    [{ url: null }, '/url'],
    [{ url: '' }, '/url'],
    [{ eventTypes: [] }, '/eventTypes'],
    [{ status: 'deleted' }, '/status'],
    [{ status: null }, '/status'],
    [{ rateLimit: {} }, '/rateLimit/perSecond'],
    [{ rateLimit: { perSecond: 0 } }, '/rateLimit/perSecond'],
    [{ retry: { maxAttempts: 0 } }, '/retry/maxAttempts'],
    [{ timeoutSeconds: null }, '/timeoutSeconds'],
    [{ timeoutSeconds: 16 }, '/timeoutSeconds'],
    [{ onUnknown: null }, '/onUnknown'],
    [{ secret: SECRET }, ''],
    [{ id: 'end_1' }, ''],
    [{ headers: { Host: 'a' } }, '/headers/Host'],
    [{ headers: { 'x-a': 'a\r\nb: c' } }, '/headers/x-a'],
    [{ headers: { 'x-a': 1 } }, '/headers/x-a'],
    [{ headers: [] }, '/headers'],
    [{ fileDefaults: { eventType: 'account.created' } }, '/fileDefaults/eventType'],
    [{ fileDefaults: { idColumn: 0 } }, '/fileDefaults/idColumn'],
    [{ fileDefaults: { message: '{{name' } }, '/fileDefaults/message'],
    [{ fileDefaults: { message: '{{ }}' } }, '/fileDefaults/message'],
  ])('refuses %j at %s', async (change, pointer) => {
    const endpoint = await made();
    const { status, body } = await endpoint.patch(change);
    expect(status).toBe(422);
    const [error] = body.errors as { pointer: string }[];
    expect(error?.pointer.startsWith(pointer)).toBe(true);
    expect(JSON.stringify(body)).not.toContain(SECRET);
  });

  it('takes for the files to come what each of them may say', async () => {
    const endpoint = await made();
    const fileDefaults = { message: 'Hi {{{ first name }}}, {} }} {{id}}!' };
    expect((await endpoint.patch({ fileDefaults })).body).toMatchObject({ fileDefaults });
  });

  it('judges another address like the first', async () => {
    const endpoint = await made();
    const { status, body } = await endpoint.patch({ url: 'http://10.0.0.1/' });
    expect([status, body.code]).toEqual([422, 'url_not_allowed']);
    expect((await endpoint.get()).url).toBe(url);
  });

  it('says of an endpoint that is gone that it is, whatever its new address', async () => {
    const endpoint = await made();
    await endpoint.remove();
    const { status, body } = await endpoint.patch({ url: 'http://10.0.0.1/' });
    expect([status, body.code]).toEqual([404, 'not_found']);
  });

  it('says why an endpoint is disabled only while it is', async () => {
    const endpoint = await made();
    expect((await endpoint.patch({ status: 'disabled' })).body).toMatchObject({
      status: 'disabled',
      disabledReason: 'by_tenant',
    });
    expect((await endpoint.patch({ status: 'active' })).body).not.toHaveProperty('disabledReason');
    const stored = await findEndpoint(world.db, endpoint.tenant, endpoint.id);
    if (stored) await world.db.commit(setStatus(stored, 'disabled', 'gone'));
    expect((await endpoint.patch({ status: 'disabled' })).body.disabledReason).toBe('gone');
  });

  it('loses none of many changes at the same moment', async () => {
    const endpoint = await made();
    const changes = Object.entries(EVERYTHING).map(([name, it]) => endpoint.patch({ [name]: it }));
    const answers = await Promise.all(changes);
    expect(answers.map((it) => it.status)).toEqual(answers.map(() => 200));
    expect(await endpoint.get()).toMatchObject(EVERYTHING);
  });

  it('lets nothing be decided on what was changed meanwhile', async () => {
    const endpoint = await made();
    const seen = await findEndpoint(world.db, endpoint.tenant, endpoint.id);
    if (!seen) throw new Error('no endpoint');
    await endpoint.patch({ url: EVERYTHING.url });
    const late = await world.db.commit(setStatus(seen, 'disabled', 'gone'));
    expect(late.ok).toBe(false);
    expect((await endpoint.get()).status).toBe('active');
  });

  it('knows no endpoint of another tenant', async () => {
    const { id } = await made();
    const stranger = newTenant(world);
    const path = `/v1/endpoints/${id}`;
    for (const call of [`PATCH ${path}`, `DELETE ${path}`, `POST ${path}/secret/rotate`]) {
      const { status } = await ask(stranger, call, call.startsWith('D') ? {} : { body: {} });
      expect(status).toBe(404);
    }
  });

  it('changes what was stored before there were revisions', async () => {
    const endpoint = await newEndpoint(world, url);
    const key = { pk: endpoint.tenantId, sk: endpoint.id };
    const [newest] = endpoint.secrets;
    await world.db.commit([
      {
        kind: 'update',
        table: 'endpoints',
        key,
        update: 'SET secrets = :secrets REMOVE revision, updatedAt, headerNames',
        values: { ':secrets': [newest?.sealed] },
      },
    ]);
    const path = `/v1/endpoints/${endpoint.id}`;
    const change = { body: { description: 'x' } };
    expect((await ask(endpoint.tenantId, `PATCH ${path}`, change)).status).toBe(200);
    const { body } = await ask(endpoint.tenantId, `GET ${path}/secret`);
    expect(body).toEqual({ secret: SECRET });
  });
});

describe('PATCH /v1/endpoints/{id} with the status active', () => {
  it.each(['paused', 'disabled'])('sends what was held while it was %s', async (status) => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const path = `PATCH /v1/endpoints/${endpoint.id}`;
    await ask(endpoint.tenantId, path, { body: { status } });
    await workUntil(world, world.clock.nowMs());
    expect((await recordOf(world, endpoint, event)).status).toBe('held');

    world.takeUnits();
    await ask(endpoint.tenantId, path, { body: { status: 'active' } });
    const what = 'endpoint; it, set, pace, health, release with its due';
    expect(world.takeUnits(), what).toBe(1 + 10 + 1);
    await workUntil(world, world.clock.nowMs() + 120_000);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
    expect(receiver.got).toHaveLength(1);
  });

  it('forgets failures and blocks, also of one that is active', async () => {
    const endpoint = await newEndpoint(world, url);
    const nowMs = world.clock.nowMs();
    await blockEndpoint(world, endpoint, { status: 429, retryAfterMs: 60_000 });
    await world.db.commit([countFailure(endpoint, false, nowMs)]);
    const path = `PATCH /v1/endpoints/${endpoint.id}`;
    await ask(endpoint.tenantId, path, { body: { status: 'active' } });
    expect((await findPace(world.db, endpoint)).blockedUntilMs).toBeUndefined();
    expect((await findHealth(world.db, endpoint)).streak).toBe(0);
  });
});

describe('the own headers of an endpoint', () => {
  it('go out with each attempt, and are shown and stored nowhere', async () => {
    const receiver = await startReceiver((nth) => (nth === 1 ? 500 : 200));
    const endpoint = await made({ url: receiver.url, headers: HEADERS });
    await relayed(world, endpoint.tenant);
    await drain(world);

    expect(receiver.got).toHaveLength(2);
    for (const { headers } of receiver.got) {
      expect(headers).toMatchObject({ authorization: HEADERS.Authorization, 'x-a': '' });
      expect(headers['user-agent']).toBe('Tallyhook/1');
    }
    const item = await world.db.get('endpoints', { pk: endpoint.tenant, sk: endpoint.id });
    const shown = [await endpoint.get(), item, world.lines];
    expect(JSON.stringify(shown)).not.toContain('of-the-tests');
  });

  it('are those of that moment', async () => {
    const receiver = await startReceiver((nth) => (nth === 1 ? 500 : 200));
    const endpoint = await made({ url: receiver.url, headers: HEADERS });
    await relayed(world, endpoint.tenant);
    const [first] = world.sent.splice(0);
    if (first) await handle(first, world);
    await endpoint.patch({ headers: { 'x-b': '2' } });
    // So long it may be remembered as it was.
    world.clock.advance(5_000);
    await drain(world);

    const [, second] = receiver.got;
    expect(second?.headers).toMatchObject({ 'x-b': '2' });
    expect(second?.headers).not.toHaveProperty('authorization');
  });
});

describe('DELETE /v1/endpoints/{id}', () => {
  it('leaves nothing to be read, and nothing secret', async () => {
    const endpoint = await made({ headers: HEADERS });
    const { status, body } = await endpoint.remove();
    expect(status).toBe(200);
    expect(body).toEqual({ id: endpoint.id, object: 'endpoint', deleted: true });

    expect((await endpoint.get()).code).toBe('not_found');
    expect((await endpoint.secret()).code).toBe('not_found');
    expect((await ask(endpoint.tenant, 'GET /v1/endpoints')).body.data).toEqual([]);
    const again = [endpoint.remove(), endpoint.patch({ description: 'x' }), endpoint.rotate({})];
    for (const { status } of await Promise.all(again)) expect(status).toBe(404);
    const item = await world.db.get('endpoints', { pk: endpoint.tenant, sk: endpoint.id });
    expect(Object.keys(item ?? {}).sort()).toEqual(
      ['deletedAt', 'fingerprint', 'id', 'pk', 'sk', 'tenant', 'v'].sort(),
    );
  });

  it('cannot be undone by repeating the creation', async () => {
    const endpoint = await made();
    await endpoint.remove();
    const again = await ask(endpoint.tenant, 'POST /v1/endpoints', { body: { url }, key: 'k' });
    expect([again.status, again.body.code]).toEqual([409, 'conflict']);
  });

  it('leaves nothing among the others, and still cannot be undone', async () => {
    const endpoint = await made();
    await endpoint.remove();
    await workUntil(world, world.clock.nowMs() + 5 * 60_000);
    const among = { table: 'endpoints', pk: endpoint.tenant, sk: { prefix: 'end_' } } as const;
    expect((await world.db.query(among)).items).toEqual([]);
    expect((await endpoint.get()).code).toBe('not_found');
    const again = await ask(endpoint.tenant, 'POST /v1/endpoints', { body: { url }, key: 'k' });
    expect([again.status, again.body.code]).toEqual([409, 'conflict']);
  });

  it('leaves nothing among the others when somebody was in the way of that', async () => {
    const endpoint = await made();
    await endpoint.remove();
    const { tenant: tenantId } = endpoint;
    const id = endpoint.id as `end_${string}`;
    const isAside = (it: Write) => it.kind === 'remove' && it.table === 'endpoints';
    const hindered = { ...world, db: conflictingDb(world.db, 1, isAside) };
    const inFiveMinutes = () => world.clock.nowMs() + 5 * 60_000;
    const work = workUntil(hindered, inFiveMinutes());
    await expect(work).rejects.toMatchObject({ code: 'busy' });
    const key = { pk: tenantId, sk: id };
    expect(await world.db.get('endpoints', key)).toBeDefined();
    world.clock.set(inFiveMinutes());
    world.sent.push(...(await sweepEndpoint(world, { tenantId, id })));
    await workUntil(world, inFiveMinutes());
    expect(await world.db.get('endpoints', key)).toBeUndefined();
  });

  it('makes room for another, and costs one transaction', async () => {
    const endpoint = await made();
    const set = { pk: endpoint.tenant, sk: 'V' };
    world.takeUnits();
    await endpoint.remove();
    expect(world.takeUnits(), 'endpoint, set, health, pace, release and its due').toBe(1 + 10 + 1);
    expect(await world.db.get('endpoints', set)).toMatchObject({ members: 0, version: 2 });
  });

  it('cancels what is under way', async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const [first] = world.sent.splice(0);
    if (first) await handle(first, world);
    await ask(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    world.clock.advance(10_000);
    await drain(world);

    expect((await recordOf(world, endpoint, event)).status).toBe('cancelled');
    expect(receiver.got).toHaveLength(1);
  });

  it('cancels what is held', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { status: 'paused' });
    const event = await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs());
    expect((await recordOf(world, endpoint, event)).status).toBe('held');
    await ask(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    await workUntil(world, world.clock.nowMs() + 120_000);

    expect((await recordOf(world, endpoint, event)).status).toBe('cancelled');
    expect(receiver.got).toEqual([]);
  });

  it('wins once of ten at the same moment, and against changes', async () => {
    const endpoint = await made();
    const removals = Array.from({ length: 10 }, () => endpoint.remove());
    const changes = [endpoint.patch({ description: 'x' }), endpoint.rotate({})];
    const answers = await Promise.all([...removals, ...changes]);
    const statuses = answers.slice(0, 10).map((it) => it.status);
    expect(statuses.filter((it) => it === 200)).toHaveLength(1);
    expect(statuses.filter((it) => it === 404)).toHaveLength(9);
    expect((await endpoint.get()).code).toBe('not_found');
    expect(await world.db.get('endpoints', { pk: endpoint.tenant, sk: 'V' })).toMatchObject({
      members: 0,
    });
  });
});

describe('POST /v1/endpoints/{id}/secret/rotate', () => {
  it('signs with both while the grace of a day runs', async () => {
    const receiver = await startReceiver();
    const endpoint = await made({ url: receiver.url, secret: SECRET });
    const { status, body } = await endpoint.rotate({});
    expect(status).toBe(200);
    expect(await endpoint.secret()).toEqual({ secret: body.secret });

    const verdicts = async () => {
      await relayed(world, endpoint.tenant);
      await drain(world);
      const got = receiver.got.at(-1);
      if (!got) throw new Error('nothing came');
      const window = { nowSeconds: Math.floor(world.clock.nowMs() / 1_000), toleranceSeconds: 5 };
      return [SECRET, body.secret ?? ''].map((it) => verifyWebhook([it], got, window));
    };
    expect(await verdicts()).toEqual(['valid', 'valid']);
    world.clock.advance(86_400_000);
    expect(await verdicts()).toEqual(['bad_signature', 'valid']);
  });

  it('takes a secret of the tenant, and costs a read and one transaction of two', async () => {
    const endpoint = await made();
    world.takeUnits();
    const { body } = await endpoint.rotate({ secret: OTHER_SECRET, graceSeconds: 0 });
    expect(world.takeUnits()).toBe(1 + 4);
    expect(body).toEqual({ secret: OTHER_SECRET });
    const stored = await findEndpoint(world.db, endpoint.tenant, endpoint.id);
    expect(stored?.secrets).toHaveLength(1);
  });

  it.each([
    [{ graceSeconds: -1 }, '/graceSeconds'],
    [{ graceSeconds: 604_801 }, '/graceSeconds'],
    [{ graceSeconds: 0.5 }, '/graceSeconds'],
    [{ secret: 'whsec_short' }, '/secret'],
    [{ secret: `whsec_${Buffer.alloc(23).toString('base64')}` }, '/secret'],
    [{ secret: `whsec_${Buffer.alloc(65).toString('base64')}` }, '/secret'],
    [{ secret: null }, '/secret'],
    [{ other: 1 }, '/other'],
  ])('refuses %j', async (rotation, pointer) => {
    const { status, body } = await (await made()).rotate(rotation);
    expect(status).toBe(422);
    expect(body).toMatchObject({ code: 'validation_failed', errors: [{ pointer }] });
    const { secret } = rotation as { secret?: string | null };
    if (secret) expect(JSON.stringify(body)).not.toContain(secret);
  });
});

describe('POST /v1/endpoints', () => {
  it.each(['active', 'paused', 'disabled'])('makes one that is %s', async (status) => {
    expect(await (await made({ status })).get()).toMatchObject({ status });
  });
});

it('writes only the fields of an endpoint that differ', async () => {
  const endpoint = await newEndpoint(world, url);
  const [change] = saveEndpoint(endpoint, { ...endpoint, slow: true, description: undefined });
  expect(change).toMatchObject({ update: 'SET #slow = :slow, #revision = :revision' });
});
