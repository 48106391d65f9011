import { beforeAll, describe, expect, it } from 'vitest';
import { findEvent } from '../../functions/events/event.store.ts';
import { KIB } from '../../functions/shared/units.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { costOf } from '../support/cost.ts';
import { useStillTime } from '../support/still-time.ts';
import { UNITS } from '../support/units.ts';
import { newTenant } from '../support/world.ts';
import { drain, newEndpoint } from '../webhooks/delivery-world.ts';
import { startReceiver } from '../webhooks/receiver.ts';
import { type Ask, type EventsWorld, eventsApi, eventsWorld } from './events-api.ts';

useStillTime();

let world: EventsWorld;
let ask: Ask;
beforeAll(async () => {
  world = await eventsWorld();
  ask = eventsApi(world);
});

const TYPE = 'order.paid';
const post = (tenant: string, body: unknown, more = {}) =>
  ask(tenant, 'POST /v1/events', { body, ...more });
const stored = async (tenant: string, id: string) => {
  const event = await findEvent(world.db, tenant, id);
  if (!event) throw new Error(`${id} is not stored`);
  return event;
};

describe('the type of an event', () => {
  it.each([
    ['order'],
    ['order.paid'],
    ['a1_b.2c._'],
    // Words of Tallyhook's own types are free where they do not stand before a dot.
    ['account'],
    ['transactions.posted'],
    ['my.transaction.posted'],
    ['alerts'],
    ['alert.of.mine'],
    ['x'.repeat(100)],
  ])('may be %s', async (type) => {
    expect((await post(newTenant(world), { type, data: 1 })).status).toBe(202);
  });

  it.each([
    ['account.created'],
    ['account.anything'],
    ['transaction.posted'],
    ['hold.x'],
    ['file.x'],
    ['task.x.y'],
    ['inbox.received'],
    ['endpoint.test'],
    ['delivery.exhausted'],
    ['alert'],
    ['Order'],
    ['1order'],
    ['order.'],
    ['.order'],
    ['order..paid'],
    ['order.*'],
    ['order paid'],
    ['ordér'],
    [''],
    ['x'.repeat(101)],
    [7],
    [null],
  ])('may not be %s', async (type) => {
    const { status, body } = await post(newTenant(world), { type, data: 1 });
    expect([status, body.code]).toEqual([422, 'validation_failed']);
    expect(body.errors.map((it) => it.pointer)).toContain('/type');
  });
});

describe('the data of an event', () => {
  it.each([
    ['null'],
    ['false'],
    ['0'],
    ['""'],
    ['[]'],
    ['-0.0'],
    ['1e400'],
    ['12345678901234567890.123456789'],
    ['{ "b" : 1 ,\t"a":[ 1 ,\n2 ]}'],
    ['{"2":1,"1":2,"":3}'],
    ['"\\ud800 \\u0000 \\/ \\u2028"'],
    ['{"constructor":{"prototype":{"toString":1}},"toJSON":"x","then":"y"}'],
    ['"</script><!-- \\" ]}, -->"'],
    ['"سلام 🎉 e\u0301"'],
    [`${'['.repeat(31)}${']'.repeat(31)}`],
  ])('goes out byte for byte: %s', async (data) => {
    const receiver = await startReceiver();
    const { tenantId } = await newEndpoint(world, receiver.url);
    const { status, body } = await ask(tenantId, 'POST /v1/events', {
      text: `{"type":"${TYPE}","data": ${data} }`,
    });
    expect(status).toBe(202);
    await relayEvents([await stored(tenantId, body.id)], world);
    await drain(world);
    const [got] = receiver.got;
    expect(got?.body.toString().endsWith(`,"data":${data}}`)).toBe(true);
  });

  it.each([
    ['as one text', (bytes: number) => 'x'.repeat(bytes - 2)],
    ['in letters of two bytes', (bytes: number) => 'é'.repeat((bytes - 2) / 2)],
  ])('may have 64 KB and not one byte more, %s', async (_, make) => {
    const tenant = newTenant(world);
    expect((await post(tenant, { type: TYPE, data: make(64 * KIB) })).status).toBe(202);
    const { status, body } = await post(tenant, { type: TYPE, data: make(64 * KIB + 2) });
    expect([status, body.code]).toEqual([413, 'payload_too_large']);
    expect(body.errors.map((it) => it.pointer)).toEqual(['/data']);
  });

  it('counts as it was written, with its blanks', async () => {
    const text = (blanks: number) => `{"type":"${TYPE}","data":[${' '.repeat(blanks)}]}`;
    const statusOf = async (blanks: number) =>
      (await ask(newTenant(world), 'POST /v1/events', { text: text(blanks) })).status;
    expect(await statusOf(64 * KIB - 2)).toBe(202);
    expect(await statusOf(64 * KIB - 1)).toBe(413);
  });

  it('must be there', async () => {
    const { status, body } = await post(newTenant(world), { type: TYPE });
    expect([status, body.errors.map((it) => `${it.pointer} ${it.code}`)]).toEqual([
      422,
      ['/data required'],
    ]);
  });

  it.each([
    ['deeper than 32 levels', `${'['.repeat(32)}${']'.repeat(32)}`],
    ['a name twice', '{"a":1,"a":2}'],
    ['__proto__', '{"__proto__":{"x":1}}'],
    ['no JSON', "{'a':1}"],
    ['NaN', 'NaN'],
  ])('may not be: %s', async (_, data) => {
    const text = `{"type":"${TYPE}","data":${data}}`;
    const { status, body } = await ask(newTenant(world), 'POST /v1/events', { text });
    expect([status, body.code]).toEqual([400, 'malformed_json']);
  });
});

describe('the time of an event', () => {
  it.each([
    ['2026-11-21T10:30:00Z', '2026-11-21T10:30:00.000Z'],
    ['2026-11-21T10:30:00.123456789+05:30', '2026-11-21T05:00:00.123Z'],
    ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('may be %s', async (occurredAt, shown) => {
    const tenant = newTenant(world);
    const { status, body } = await post(tenant, { type: TYPE, data: 1, occurredAt });
    expect([status, body.occurredAt]).toEqual([202, shown]);
    expect((await stored(tenant, body.id)).occurredAtMs).toBe(Date.parse(shown));
  });

  it.each([
    ['2026-11-21T10:30:00'],
    ['2026-11-21'],
    ['2026-02-30T00:00:00Z'],
    ['0000-01-01T00:00:00+01:00'],
    ['yesterday'],
    [1_795_000_000_000],
    [null],
  ])('may not be %s', async (occurredAt) => {
    const { status, body } = await post(newTenant(world), { type: TYPE, data: 1, occurredAt });
    expect([status, body.errors.map((it) => it.pointer)]).toEqual([422, ['/occurredAt']]);
  });

  it('is now where none is given', async () => {
    const { body } = await post(newTenant(world), { type: TYPE, data: 1 });
    const now = new Date(world.clock.nowMs()).toISOString();
    expect(body).toMatchObject({ occurredAt: now, createdAt: now });
  });
});

describe('POST /v1/events', () => {
  it('carries the traceparent to the receiver', async () => {
    const receiver = await startReceiver();
    const { tenantId } = await newEndpoint(world, receiver.url);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { body } = await post(tenantId, { type: TYPE, data: 1 }, { headers: { traceparent } });
    await relayEvents([await stored(tenantId, body.id)], world);
    await drain(world);
    expect(receiver.got[0]?.headers.traceparent).toBe(traceparent);
  });

  it('counts the webhooks that led to it, so that a loop ends', async () => {
    const receiver = await startReceiver();
    const { tenantId } = await newEndpoint(world, receiver.url);
    const send = (hops: string) =>
      post(tenantId, { type: TYPE, data: 1 }, { headers: { 'webhook-hops': hops } });
    const { body } = await send('2');
    await relayEvents([await stored(tenantId, body.id)], world);
    await drain(world);
    expect(receiver.got[0]?.headers['webhook-hops']).toBe('3');
    const { status, body: refusal } = await send('3');
    expect([status, refusal.code]).toEqual([409, 'conflict']);
  });

  it('refuses an endpoint of another tenant as if it were not there', async () => {
    const { id: endpointId } = await newEndpoint(world, 'http://127.0.0.1:1');
    const { status, body } = await post(newTenant(world), { type: TYPE, data: 1, endpointId });
    expect([status, body.errors]).toEqual([
      404,
      [{ pointer: '/endpointId', code: 'not_found', detail: expect.any(String) }],
    ]);
  });

  it.each(['', '/batch'])(
    'answers a repetition at %s although the endpoint is gone',
    async (at) => {
      const { id: endpointId, tenantId } = await newEndpoint(world, 'http://127.0.0.1:1');
      const event = { type: TYPE, data: 1, endpointId };
      const body = at === '' ? event : { events: [event] };
      const send = (asked: object) => ask(tenantId, `POST /v1/events${at}`, { body, ...asked });
      const first = await send({ key: 'k' });
      const key = { pk: tenantId, sk: endpointId };
      await world.db.commit([{ kind: 'remove', table: 'endpoints', key }]);
      const again = await send({ key: 'k' });
      expect([again.status, again.body]).toEqual([202, first.body]);
      expect((await send({ key: 'other' })).status).toBe(404);
      expect((await send({})).status).toBe(404);
    },
  );

  it('costs 1 + 1, and 4 + 1 with a key; a repetition writes nothing', async () => {
    const tenant = newTenant(world);
    const plain = { type: TYPE, data: 1 };
    expect(await costOf(world, () => post(tenant, plain))).toBe(UNITS.event);
    world.takeUnits();
    const first = await post(tenant, plain, { key: 'once' });
    expect(world.takeUnits()).toBe(5);
    const second = await post(tenant, plain, { key: 'once' });
    expect(world.takeUnits()).toBe(0);
    expect(second.body).toEqual(first.body);
    expect(second.headers['idempotent-replayed']).toBe('true');
  });

  it('is one event however many copies with one key come at once', async () => {
    const tenant = newTenant(world);
    const copies = Array.from({ length: 8 }, () =>
      post(tenant, { type: TYPE, data: 1 }, { key: 'together' }),
    );
    const answers = await Promise.all(copies);
    expect(new Set(answers.map((it) => it.status))).toEqual(new Set([202]));
    expect(new Set(answers.map((it) => it.body.id)).size).toBe(1);
  });
});
