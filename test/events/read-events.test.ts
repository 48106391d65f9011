import { beforeAll, describe, expect, it } from 'vitest';
import { eventKey } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import { DAY_MS, KIB, SECOND_MS } from '../../functions/shared/units.ts';
import { findStates } from '../../functions/webhooks/find-states.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { handle, newEndpoint, newEvent, relayed, takeDue } from '../webhooks/delivery-world.ts';
import { startReceiver } from '../webhooks/receiver.ts';
import { type Ask, type EventsWorld, eventsApi, eventsWorld } from './events-api.ts';

useStillTime();

let world: EventsWorld;
let ask: Ask;
beforeAll(async () => {
  world = await eventsWorld();
  ask = eventsApi(world);
});

const url = 'http://127.0.0.1:1/hook';
const get = (tenant: string, id: string) => ask(tenant, `GET /v1/events/${id}`);
const instant = (ms: number) => new Date(ms).toISOString();

/** The ids of all pages, `limit` at a time. */
async function listAll(tenant: string, query: string, limit = 3): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '';
  do {
    const path = `GET /v1/events?limit=${limit}${query}${cursor}`;
    const { status, body } = await ask(tenant, path);
    expect([status, body.hasMore]).toEqual([200, body.nextCursor !== undefined]);
    ids.push(...body.data.map((it) => String(it.id)));
    cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : '';
  } while (cursor);
  return ids;
}

describe('GET /v1/events/{id}', () => {
  it('shows the event with each number as it was written', async () => {
    const tenant = newTenant(world);
    const data = '{"big":12345678901234567890.10,"tiny":1e-400,"-0":[-0,1.0],"s":"\\u00e9"}';
    const event = await newEvent(world, tenant, { data, occurredAtMs: 0 });
    const { status, body, text } = await get(tenant, event.id);
    expect(status).toBe(200);
    expect(text).toContain('"data":{"big":12345678901234567890.10,"tiny":1e-400,"-0":[-0,1.0],');
    expect(body).toMatchObject({
      ...{ id: event.id, object: 'event', type: 'order.paid', deliveries: [] },
      ...{ occurredAt: instant(0), createdAt: instant(world.clock.nowMs()) },
    });
    expect(body).not.toHaveProperty('relayedAt');
  });

  it('shows where each of its deliveries stands', async () => {
    const good = await startReceiver();
    const bad = await startReceiver(() => 500);
    const delivered = await newEndpoint(world, good.url);
    const { tenantId } = delivered;
    const retrying = await newEndpoint(world, bad.url, { tenantId });
    const pending = await newEndpoint(world, url, { tenantId });
    const event = await relayed(world, tenantId);
    for (const message of takeDue(world)) {
      if (message.body.endpoint !== pending.id) await handle(message, world);
    }

    const { body } = await get(tenantId, event.id);
    const part = (id: string) => id.slice(4);
    const dlv = (id: string) => `dlv_${part(id)}${part(event.id)}`;
    expect(body.relayedAt).toBe(instant(world.clock.nowMs()));
    const states = [
      { endpointId: delivered.id, status: 'delivered', attempts: 1 },
      { endpointId: retrying.id, status: 'retrying', attempts: 1, nextAt: expect.any(String) },
      { endpointId: pending.id, status: 'pending', attempts: 0 },
    ].map((it) => ({ ...it, deliveryId: dlv(it.endpointId) }));
    expect(body.deliveries).toEqual(expect.arrayContaining(states));
    expect(body.deliveries).toHaveLength(3);
  });

  it('names the endpoints that miss it', async () => {
    const disabled = await newEndpoint(world, url, { status: 'disabled' });
    const { tenantId } = disabled;
    await newEndpoint(world, url, { tenantId, eventTypes: ['other'] });
    const event = await relayed(world, tenantId);
    world.clock.advance(SECOND_MS);
    await newEndpoint(world, url, { tenantId });
    expect((await get(tenantId, event.id)).body.deliveries).toEqual([
      { endpointId: disabled.id, status: 'missing', attempts: 0 },
    ]);
  });

  it('misses nothing at an endpoint that the event is not for', async () => {
    const eventTypes = ['order.paid', 'endpoint.*'];
    const one = await newEndpoint(world, url, { eventTypes });
    const { tenantId } = one;
    const other = await newEndpoint(world, url, { tenantId, eventTypes, status: 'disabled' });
    const toOne = await relayed(world, tenantId, { to: one.id });
    const statesOf = async (event: OutboxEvent) =>
      (await get(tenantId, event.id)).body.deliveries as { endpointId: string; status: string }[];
    expect((await statesOf(toOne)).map((it) => it.status)).toEqual(['pending']);
    const complaint = JSON.stringify({ endpointId: other.id });
    const about = await relayed(world, tenantId, { type: 'endpoint.failing', data: complaint });
    expect((await statesOf(about)).map((it) => it.endpointId)).toEqual([one.id]);
  });

  it('calls nothing pending whose record has ended', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const event = await relayed(world, tenantId);
    const clock = { ...world.clock, nowMs: () => world.clock.nowMs() + 30 * DAY_MS };
    const later = { ...world, clock };
    const states = eventsApi({ ...world, findStates: (it) => findStates(later, it) });
    expect((await states(tenantId, `GET /v1/events/${event.id}`)).body.deliveries).toEqual([]);
  });

  it.each([
    ['of another tenant', async () => (await newEvent(world, newTenant(world))).id],
    ['that never was', async () => world.ids.next('evt')],
    ['of a time that no ULID has', async () => `evt_7${'Z'.repeat(25)}`],
    ['that is none', async () => 'evt_1'],
  ])('knows no event %s', async (_, idOf) => {
    const { status, body } = await get(newTenant(world), await idOf());
    expect([status, body.code]).toEqual([404, 'not_found']);
  });

  it('reads the event, the endpoints and a row for each delivery', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const event = await relayed(world, tenantId);
    world.units.splice(0);
    await get(tenantId, event.id);
    const units = world.units.map((it) => [it.operation, it.consumed[0]?.CapacityUnits]);
    expect(units).toEqual([
      ['get', 1],
      ['getAll', 1],
      ['query', 1],
    ]);
  });
});

describe('GET /v1/events', () => {
  it('lists all of them, newest first, page by page', async () => {
    const tenant = newTenant(world);
    await newEvent(world, newTenant(world));
    const ids: string[] = [];
    for (let n = 0; n < 10; n += 1) {
      if (n % 3 === 0) world.clock.advance(1);
      ids.unshift((await newEvent(world, tenant)).id);
    }
    expect(await listAll(tenant, '')).toEqual(ids);
    expect(await listAll(tenant, '', 5)).toEqual(ids);
    expect(await listAll(tenant, '', 10)).toEqual(ids);
    const { body } = await ask(tenant, 'GET /v1/events?limit=1');
    expect(body.data[0]).toMatchObject({ object: 'event', type: 'order.paid', data: {} });
    expect(body.data[0]).not.toHaveProperty('deliveries');
  });

  it('filters by type, at any depth', async () => {
    const tenant = newTenant(world);
    const made: Record<string, string> = {};
    for (const type of ['order', 'order.paid', 'order.paid.late', 'orders.paid', 'refund']) {
      made[type] = (await newEvent(world, tenant, { type })).id;
    }
    const typesOf = async (type: string) => {
      const ids = await listAll(tenant, `&type=${type}`, 1);
      return Object.keys(made).filter((it) => ids.includes(made[it] ?? ''));
    };
    expect(await typesOf('order.paid')).toEqual(['order.paid']);
    expect(await typesOf('order.*')).toEqual(['order.paid', 'order.paid.late']);
    expect(await typesOf('order.paid.*')).toEqual(['order.paid.late']);
    expect(await typesOf('nothing')).toEqual([]);
  });

  it('takes from and leaves to, to the millisecond', async () => {
    const tenant = newTenant(world);
    const startMs = world.clock.nowMs();
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      world.clock.set(startMs + n);
      ids.unshift((await newEvent(world, tenant)).id);
    }
    const between = (from: number, to: number) =>
      listAll(tenant, `&from=${instant(startMs + from)}&to=${instant(startMs + to)}`, 1);
    expect(await between(1, 3)).toEqual(ids.slice(1, 3));
    expect(await between(0, 1)).toEqual(ids.slice(3));
    expect(await between(2, 2)).toEqual([]);
    expect(await between(3, 1)).toEqual([]);
    expect(await listAll(tenant, '&from=0000-01-01T00:00:00Z')).toEqual(ids);
    expect(await listAll(tenant, '&from=9999-12-31T00:00:00Z')).toEqual([]);
    expect(await listAll(tenant, '&to=0000-01-01T00:00:00Z')).toEqual([]);
  });

  it('goes on behind many events of other types', async () => {
    const tenant = newTenant(world);
    const rare = await newEvent(world, tenant, { type: 'rare' });
    world.clock.advance(1);
    for (let n = 0; n < 27; n += 1) {
      const events = Array.from({ length: 100 }, () => ({ type: 'usual', data: 1 }));
      await ask(tenant, 'POST /v1/events/batch', { body: { events } });
    }
    const first = await ask(tenant, 'GET /v1/events?type=rare');
    expect(first.body).toMatchObject({ data: [], hasMore: true });
    expect(await listAll(tenant, '&type=rare')).toEqual([rare.id]);
  });

  it('ends a page before the answer is too large for Lambda', async () => {
    const tenant = newTenant(world);
    const data = JSON.stringify('"'.repeat(32 * KIB - 1));
    const ids: string[] = [];
    for (let n = 0; n < 60; n += 1) ids.unshift((await newEvent(world, tenant, { data })).id);
    const { body, text } = await ask(tenant, 'GET /v1/events?limit=100');
    expect(body.data.length).toBeLessThan(60);
    expect(Buffer.byteLength(JSON.stringify(text))).toBeLessThan(6_000_000);
    expect(await listAll(tenant, '', 100)).toEqual(ids);
  });

  it('leaves out what cannot be read, and shows the others', async () => {
    const tenant = newTenant(world);
    const [good, damaged, unreadable] = [
      await newEvent(world, tenant),
      await newEvent(world, tenant),
      await newEvent(world, tenant, { data: '{"cut' }),
    ];
    await world.db.commit([
      {
        ...{ kind: 'update', table: 'outbox', key: eventKey(tenant, damaged.id) },
        ...{ update: 'REMOVE ts' },
      },
    ]);
    const { status, body } = await ask(tenant, 'GET /v1/events');
    expect(status).toBe(200);
    expect(body.data.map((it) => it.id)).toEqual([good.id]);
    expect((await get(tenant, unreadable.id)).status).toBe(500);
  });

  it('costs a query of each shard, and the events', async () => {
    const tenant = newTenant(world);
    for (let n = 0; n < 4; n += 1) await newEvent(world, tenant);
    world.units.splice(0);
    await ask(tenant, 'GET /v1/events');
    const units = world.units.map((it) => [it.operation, it.consumed[0]?.CapacityUnits]);
    expect(units.filter(([it]) => it === 'query')).toHaveLength(4);
    expect(units.filter(([it]) => it === 'getAll')).toEqual([['getAll', 4]]);
  });

  it.each([
    ['type=Order', '?type'],
    ['type=*', '?type'],
    ['from=yesterday', '?from'],
    ['to=2026-11-21', '?to'],
    ['limit=0', '?limit'],
    ['status=delivered', '?status'],
  ])('refuses %s', async (query, pointer) => {
    const { status, body } = await ask(newTenant(world), `GET /v1/events?${query}`);
    expect([status, body.errors.map((it) => it.pointer)]).toEqual([422, [pointer]]);
  });

  it('takes a cursor for its own list only', async () => {
    const tenant = newTenant(world);
    for (let n = 0; n < 3; n += 1) await newEvent(world, tenant);
    const { nextCursor } = (await ask(tenant, 'GET /v1/events?limit=1')).body;
    const statusOf = async (who: string, query: string) =>
      (await ask(who, `GET /v1/events?limit=1&cursor=${nextCursor}${query}`)).status;
    expect(await statusOf(tenant, '')).toBe(200);
    expect(await statusOf(tenant, '&type=order.*')).toBe(400);
    expect(await statusOf(newTenant(world), '')).toBe(400);
  });
});
