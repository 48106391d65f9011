import { beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS } from '../../functions/shared/units.ts';
import { useStillTime } from '../support/still-time.ts';
import { NOON_MS } from '../support/world.ts';
import { newTenantAt, tenantsInstance } from '../tenants/tenants-api.ts';
import { newEndpoint } from '../webhooks/delivery-world.ts';
import { type Answer, type Ask, type EventsWorld, eventsApi, eventsWorld } from './events-api.ts';

useStillTime();

let world: EventsWorld;
beforeAll(async () => {
  world = await eventsWorld();
});

const EVENT = { type: 'order.paid', data: 1 };

/** A tenant with a limit, and the room's API as it calls. */
async function limited(dailyEvents: number | undefined) {
  const { id: endpointId, tenantId } = await newEndpoint(world, 'http://127.0.0.1:1');
  const ask: Ask = (tenant, call, asked) => eventsApi(world, dailyEvents)(tenant, call, asked);
  const post = (more: object = {}) => ask(tenantId, 'POST /v1/events', { body: EVENT, ...more });
  const batch = (size: number, more: object = {}) =>
    ask(tenantId, 'POST /v1/events/batch', {
      body: { events: Array.from({ length: size }, () => EVENT) },
      ...more,
    });
  const alert = () => ask(tenantId, 'POST /v1/alerts', { body: { endpointId, userId: 'u' } });
  const count = async () => (await ask(tenantId, 'GET /v1/events?limit=100')).body.data.length;
  return { tenantId, post, batch, alert, count };
}

const statuses = (answers: readonly Answer[]) => answers.map((it) => it.status);

describe('a tenant with a limit of events a day', () => {
  it('is refused beyond it until midnight, UTC, and nothing is stored', async () => {
    const { post, count } = await limited(2);
    expect(statuses([await post(), await post(), await post()])).toEqual([202, 202, 429]);
    const { headers, body } = await post();
    const waitMs = DAY_MS - (world.clock.nowMs() % DAY_MS);
    expect(body).toMatchObject({ code: 'rate_limited', retryable: true });
    expect(headers['retry-after']).toBe(String(Math.ceil(waitMs / 1_000)));
    expect(await count()).toBe(2);
    world.clock.advance(waitMs);
    expect((await post()).status).toBe(202);
    world.clock.set(NOON_MS);
  });

  it('spends one for an event or alert, and a batch as many as it has', async () => {
    const { post, batch, alert, count } = await limited(10);
    expect(statuses([await batch(7), await batch(4), await alert()])).toEqual([202, 429, 202]);
    expect(statuses([await batch(2), await post(), await alert()])).toEqual([202, 429, 429]);
    expect(await count()).toBe(10);
  });

  it('spends nothing for a repetition, and answers it also when the day is used up', async () => {
    const { post, batch, count } = await limited(4);
    const first = [await post({ key: 'one' }), await batch(2, { key: 'two' })];
    const again = [await post({ key: 'one' }), await batch(2, { key: 'two' })];
    expect(statuses([...first, ...again])).toEqual([202, 202, 202, 202]);
    expect(statuses([await post(), await post()])).toEqual([202, 429]);
    const late = [await post({ key: 'one' }), await batch(2, { key: 'two' })];
    expect(late.map((it) => it.headers['idempotent-replayed'])).toEqual(['true', 'true']);
    expect(late.map((it) => it.body)).toEqual(first.map((it) => it.body));
    const other = await post({ key: 'one', body: { ...EVENT, data: 2 } });
    expect(other.body.code).toBe('idempotency_key_reused');
    expect(await count()).toBe(4);
  });

  it('spends nothing for what is refused', async () => {
    const { tenantId, post, count } = await limited(1);
    const nobody = `end_${'0'.repeat(26)}`;
    const refused = [
      await post({ body: { ...EVENT, type: 'alert' } }),
      await post({ body: { ...EVENT, endpointId: nobody } }),
      await post({ body: { ...EVENT, data: 'x'.repeat(70_000) } }),
    ];
    expect(statuses(refused)).toEqual([422, 404, 413]);
    expect((await post()).status).toBe(202);
    expect(await count()).toBe(1);
    expect(tenantId).toMatch(/^ten_/);
  });

  it('shares it among copies of one request that come at once', async () => {
    const { post, count } = await limited(2);
    const copies = await Promise.all(Array.from({ length: 5 }, () => post({ key: 'k' })));
    expect(copies.filter((it) => it.status === 202).length).toBeGreaterThanOrEqual(1);
    expect(await count()).toBe(1);
  });

  it('pays one write for it, and a tenant without it nothing', async () => {
    const { post } = await limited(1_000);
    const free = await limited(undefined);
    world.takeUnits();
    await post();
    expect(world.takeUnits()).toBe(2 + 1);
    await free.post();
    expect(world.takeUnits()).toBe(2);
  });
});

describe('limits.dailyEvents', () => {
  it('is set, changed and taken away by the operator, and shown', async () => {
    const ask = tenantsInstance(world);
    const { tenantId, key, adminKey } = await newTenantAt(ask, world, { dailyEvents: 5 });
    const shown = async () => (await ask('GET /v1/tenant', { key })).body.limits;
    const change = (limits: object) =>
      ask(`PATCH /v1/tenants/${tenantId}`, { key: adminKey, body: { limits } });
    expect(await shown()).toMatchObject({ dailyEvents: 5 });
    await change({ burst: 300 });
    expect(await shown()).toMatchObject({ dailyEvents: 5, burst: 300 });
    expect((await change({ dailyEvents: 7 })).body.limits).toMatchObject({ dailyEvents: 7 });
    const gone = await change({ dailyEvents: null, endpoints: 9 });
    expect(gone.body.limits).toEqual({ requestsPerSecond: 100, burst: 300, endpoints: 9 });
    expect((await change({ dailyEvents: null })).status).toBe(200);
    expect(await shown()).not.toHaveProperty('dailyEvents');
  });

  it.each([0, -1, 1.5, '5', 1_000_000_001])('is not %s', async (dailyEvents) => {
    const ask = tenantsInstance(world);
    const key = await world.secrets.read('admin-key');
    const body = { name: 'x', limits: { dailyEvents } };
    const answer = await ask('POST /v1/tenants', { key, body });
    const pointers = answer.body.errors.map((it) => it.pointer);
    expect([answer.status, pointers]).toEqual([422, ['/limits/dailyEvents']]);
  });
});
