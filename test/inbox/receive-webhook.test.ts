import { createHmac } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { receiveWebhook } from '../../functions/inbox/receive-webhook.ts';
import { api } from '../../functions/shared/http/api.ts';
import { DAY_MS, KIB, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import { limitsOf } from '../../functions/tenants/tenant.ts';
import { costOf } from '../support/cost.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import { UNITS } from '../support/units.ts';
import { NOON_MS } from '../support/world.ts';
import {
  asInstance,
  eventsOf,
  githubHeaders,
  type InboxWorld,
  inboxClient,
  inboxFaults,
  inboxWorld,
  newSource,
  push,
  SECRET,
  standardHeaders,
  work,
} from './inbox-house.ts';

const STANDARD = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(24, 8).toString('base64')}`;

let world: InboxWorld;
let tenantId: string;
let ask: Ask;
beforeAll(async () => {
  world = await inboxWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.sent.splice(0);
  ({ tenantId, ask } = inboxClient(world));
});

const faults = () => inboxFaults(world);

const shown = async (id: string) => (await ask(`GET /v1/webhooks/${id}`)).body;
const listed = async (query = '') => (await ask(`GET /v1/webhooks${query}`)).body.data;

interface Standard {
  readonly id?: string;
  readonly secret?: string;
}

const standard = (
  source: RoomBody,
  text: string,
  { id = 'msg_1', secret = STANDARD }: Standard = {},
) => {
  const headers = standardHeaders(text, { id, secret, nowMs: world.clock.nowMs() });
  return ask(`POST /v1/in/${source.id}`, { text, headers });
};

const standardSource = (terms: object = {}) =>
  newSource(ask, { scheme: 'standard', secret: STANDARD, ...terms });

describe('a webhook of another', () => {
  it('is stored before it is answered, and goes on as an event with its exact text', async () => {
    const source = await newSource(ask);
    const text = '{"n": 1.0, "big": 12345678901234567890,  "text": "grün"}';

    const { status, body } = await push(ask, source, text);

    expect([status, body.status]).toEqual([202, 'pending']);
    expect(await shown(body.id)).toMatchObject({ status: 'pending', sourceId: source.id });
    await work(world);
    const [event, ...others] = await eventsOf(world, tenantId);
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      type: 'inbox.received',
      data: {
        receiptId: body.id,
        sourceId: source.id,
        contentType: 'application/json',
        headers: { 'x-github-event': 'push' },
        body: text,
      },
    });
    expect(await shown(body.id)).toMatchObject({
      status: 'completed',
      eventId: event?.id,
      attempts: [{ n: 1 }],
      deliveries: [],
    });
    expect(await faults()).toEqual([]);
  });

  it('is one receipt and one event, however many copies come at the same time', async () => {
    const source = await newSource(ask, { maxBacklog: 50 });
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => push(ask, source, '{"a":1}')),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(99).fill(200), 202]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const messages = world.sent.splice(0);
    const instances = Array.from({ length: 4 }, () => {
      const instance = asInstance(world);
      return { ...instance, sent: [...messages] };
    });
    await Promise.all(instances.map(work));
    expect(await eventsOf(world, tenantId)).toHaveLength(1);
    expect(await listed()).toHaveLength(1);
    expect((await listed())[0]).toMatchObject({ status: 'completed', attempts: [{ n: 1 }] });
    expect(await faults()).toEqual([]);
  });

  it('keeps the first body where another comes under its signed id, and counts it', async () => {
    const source = await standardSource();
    const first = await standard(source, '{"a":1}');
    const second = await standard(source, '{"a":2}');

    expect([first.status, second.status]).toEqual([202, 200]);
    expect(second.body.id).toBe(first.body.id);
    await work(world);
    expect((await eventsOf(world, tenantId))[0]?.data.body).toBe('{"a":1}');
    expect((await shown(first.body.id)).conflicts).toBe(1);
  });

  it.each([
    ['Slack events by their id', { event_id: 'Ev1' }, { event_id: 'Ev1' }, 60, 1],
    ['Slack commands by body and time', { text: 'hi' }, { text: 'hi' }, 0, 1],
    ['Slack commands of another second', { text: 'hi' }, { text: 'hi' }, 1, 2],
  ])('knows copies of %s', async (_what, one, other, laterSeconds, receipts) => {
    const source = await newSource(ask, { scheme: 'slack' });
    const send = (body: object) => {
      const text = JSON.stringify(body);
      const seconds = Math.floor(world.clock.nowMs() / SECOND_MS);
      const mac = createHmac('sha256', SECRET).update(`v0:${seconds}:${text}`).digest('hex');
      const headers = {
        'x-slack-request-timestamp': String(seconds),
        'x-slack-signature': `v0=${mac}`,
      };
      return ask(`POST /v1/in/${source.id}`, { text, headers });
    };
    await send(one);
    world.clock.advance(laterSeconds * SECOND_MS);
    await send(other);
    expect(await listed()).toHaveLength(receipts);
  });

  it('answers the challenge of Slack, only when it is signed, and stores nothing', async () => {
    const source = await newSource(ask, { scheme: 'slack' });
    const text = JSON.stringify({ type: 'url_verification', challenge: 'abc' });
    const seconds = String(NOON_MS / SECOND_MS);
    const mac = createHmac('sha256', SECRET).update(`v0:${seconds}:${text}`).digest('hex');
    const headers = { 'x-slack-request-timestamp': seconds, 'x-slack-signature': `v0=${mac}` };
    const send = (more: object) =>
      ask(`POST /v1/in/${source.id}`, { text, headers: { ...headers, ...more } });

    const { status, body } = await send({});
    expect([status, body.challenge]).toEqual([200, 'abc']);
    expect((await send({ 'x-slack-signature': 'v0=00' })).status).toBe(401);
    expect(await listed()).toEqual([]);
  });

  it('tells webhooks without any id apart, unless the source knows bodies for a time', async () => {
    const terms = { scheme: 'none', secret: undefined };
    const all = await newSource(ask, terms);
    const some = await newSource(ask, { ...terms, dedupe: { windowSeconds: 60 } });
    const send = (source: RoomBody) => ask(`POST /v1/in/${source.id}`, { text: 'same' });

    expect([(await send(all)).status, (await send(all)).status]).toEqual([202, 202]);
    const copies = await Promise.all(Array.from({ length: 20 }, () => send(some)));
    expect(copies.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 202]);
    expect(new Set(copies.map(({ body }) => body.id)).size).toBe(1);
    world.clock.advance(MINUTE_MS - 1);
    expect((await send(some)).status).toBe(200);
    world.clock.advance(1);
    expect((await send(some)).status).toBe(202);
    expect(await faults()).toEqual([]);
  });

  it.each([
    { scheme: 'shopify', name: 'x-shopify-topic', topics: ['orders/create', 'orders/paid'] },
    { scheme: 'github', name: 'x-github-event', topics: ['push', 'ping'] },
  ])('tells webhooks of $scheme with one body apart by what happened', async (of) => {
    const { scheme, name, topics } = of;
    const source = await newSource(ask, { scheme });
    const text = '{"id":1}';
    const mac = createHmac('sha256', SECRET).update(text).digest('base64');
    const signed = { ...githubHeaders(text), 'x-shopify-hmac-sha256': mac };
    const send = (topic: string) =>
      ask(`POST /v1/in/${source.id}`, { text, headers: { ...signed, [name]: topic } });
    const sent = await Promise.all([...topics, ...topics].map(send));
    expect(sent.map((it) => it.status).sort()).toEqual([200, 200, 202, 202]);
    // What is no name of an event tells nothing apart.
    const odd = [await send('no topic'), await send('x'.repeat(101))];
    expect(odd.map((it) => it.status)).toEqual([202, 200]);
    expect(await listed()).toHaveLength(3);
  });

  it('knows a copy of scheme hmac by the id of its sender and the body', async () => {
    const hmac = { header: 'X-Sign', algorithm: 'sha512', encoding: 'base64', idHeader: 'X-Id' };
    const source = await newSource(ask, { scheme: 'hmac', hmac });
    const send = (text: string, id: string) => {
      const mac = createHmac('sha512', SECRET).update(text).digest('base64');
      return ask(`POST /v1/in/${source.id}`, { text, headers: { 'x-sign': mac, 'x-id': id } });
    };
    const statuses = [];
    for (const [text, id] of [
      ['a', '1'],
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
    ] as const) {
      statuses.push((await send(text, id)).status);
    }
    expect(statuses).toEqual([202, 200, 202, 202]);
    await work(world);
    expect((await eventsOf(world, tenantId))[0]?.data.headers).toEqual({ 'x-id': '1' });
  });
});

describe('a signature', () => {
  it('is no member that every object has', async () => {
    const header = 'constructor';
    const hmac = { header, algorithm: 'sha256', encoding: 'hex' };
    const source = await newSource(ask, { scheme: 'hmac', hmac });
    const { status, body } = await ask(`POST /v1/in/${source.id}`, { text: '{}' });
    expect([status, body.code]).toEqual([401, 'signature_invalid']);
  });

  it.each([
    ['none at all', {}],
    ['that of another body', githubHeaders('{"a":2}')],
    ['that of another secret', githubHeaders('{"a":1}', 'another secret')],
  ])('that is %s is refused with one text, and nothing is stored', async (_what, headers) => {
    const source = await newSource(ask);
    const refused = await ask(`POST /v1/in/${source.id}`, { text: '{"a":1}', headers });
    expect([refused.status, refused.body.code]).toEqual([401, 'signature_invalid']);
    const { detail } = refused.body;
    expect(detail).toMatch(/do not fit/);
    expect(await listed()).toEqual([]);
    expect(world.sent).toEqual([]);
  });

  it('of a time that is 300 seconds away is good, and one second more is a replay', async () => {
    const source = await standardSource();
    const at = (ms: number) => standardHeaders('{}', { id: `m${ms}`, secret: STANDARD, nowMs: ms });
    const statuses = await Promise.all(
      [-300, 300, -301, 301].map(async (seconds) => {
        const headers = at(NOON_MS + seconds * SECOND_MS);
        return (await ask(`POST /v1/in/${source.id}`, { text: '{}', headers })).status;
      }),
    );
    expect(statuses).toEqual([202, 202, 401, 401]);
  });

  it('with a new secret is good at once, with the old one until its grace is over', async () => {
    const source = await standardSource();
    expect((await standard(source, '{}', { id: 'm0' })).status).toBe(202);
    world.clock.advance(SECOND_MS);
    const rotation = { secret: OTHER, graceSeconds: 60 };
    await ask(`POST /v1/sources/${source.id}/secret/rotate`, { body: rotation });

    expect((await standard(source, '{}', { id: 'm1', secret: OTHER })).status).toBe(202);
    expect((await standard(source, '{}', { id: 'm2' })).status).toBe(202);
    world.clock.advance(MINUTE_MS);
    expect((await standard(source, '{}', { id: 'm3' })).status).toBe(401);
    expect((await standard(source, '{}', { id: 'm4', secret: OTHER })).status).toBe(202);
  });

  it('reads the source again for bad ones at most once a second', async () => {
    const source = await standardSource();
    await standard(source, '{}', { id: 'm0' });
    world.clock.advance(2 * SECOND_MS);
    world.units.splice(0);
    for (let n = 0; n < 5; n += 1) await standard(source, '{}', { id: 'x', secret: OTHER });
    expect(world.units.filter(({ operation }) => operation === 'get')).toHaveLength(1);
  });

  it.each([
    ['what is no text', Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0xc3, 0x28]), {}],
    ['what is compressed, told so', gzipSync('{"id":1}'), { 'content-encoding': 'gzip' }],
  ])('is over the exact bytes, also of %s', async (_what, bytes, headers) => {
    const source = await newSource(ask);
    const mac = createHmac('sha256', SECRET).update(bytes).digest('hex');
    const handler = api(world, [receiveWebhook], async () => ({}));
    const event = {
      routeKey: 'POST /v1/in/{sourceId}',
      rawPath: `/v1/in/${source.id}`,
      pathParameters: { sourceId: source.id },
      headers: { 'x-hub-signature-256': `sha256=${mac}`, ...headers },
      requestContext: { http: { method: 'POST', sourceIp: '127.0.0.1' } },
      isBase64Encoded: true,
      body: bytes.toString('base64'),
    };
    const { statusCode, body = '' } = await handler(event as never, {} as never);
    expect(statusCode).toBe(202);
    await work(world);
    const [received] = await eventsOf(world, tenantId);
    expect(received?.data).toMatchObject({
      receiptId: JSON.parse(body).id,
      bodyBase64: bytes.toString('base64'),
      headers,
    });
    expect(received?.data.body).toBeUndefined();
  });
});

describe('a body', () => {
  it.each([
    [KIB, 'body'],
    [KIB + 1, 'body'],
    [48 * KIB, 'body'],
    [48 * KIB + 1, 'bodyUrl'],
    [300 * KIB + 1, 'bodyUrl'],
    [1_024 * KIB, 'bodyUrl'],
  ])('of %i bytes goes on as %s, and can be read as it was', async (bytes, member) => {
    const source = await newSource(ask);
    const text = 'x'.repeat(bytes);
    const { status, body } = await push(ask, source, text);
    expect(status).toBe(202);
    await work(world);
    const [event] = await eventsOf(world, tenantId);
    expect(event?.data[member]).toBe(member === 'body' ? text : `/v1/webhooks/${body.id}/body`);
    const read = await readBody(body.id);
    expect(read.equals(Buffer.from(text))).toBe(true);
    expect((await shown(body.id)).bytes).toBe(bytes);
    await push(ask, source, text);
    expect(await faults()).toEqual([]);
  });

  it('of more than a megabyte is refused', async () => {
    const source = await newSource(ask);
    const { status, body } = await push(ask, source, 'x'.repeat(1_024 * KIB + 1));
    expect([status, body.code]).toEqual([413, 'payload_too_large']);
  });

  it('that JSON would make too long for an event stays where it is', async () => {
    const source = await newSource(ask);
    const { body } = await push(ask, source, '\u0001'.repeat(20 * KIB));
    await work(world);
    const [event] = await eventsOf(world, tenantId);
    expect(event?.data).toMatchObject({ bodyUrl: `/v1/webhooks/${body.id}/body` });
  });

  async function readBody(id: string): Promise<Buffer> {
    const { getWebhookBody } = await import('../../functions/inbox/read-receipts.ts');
    const handler = api(world, [getWebhookBody as never], async () => ({ tenantId }));
    const event = {
      routeKey: 'GET /v1/webhooks/{id}/body',
      rawPath: `/v1/webhooks/${id}/body`,
      pathParameters: { id },
      headers: {},
      requestContext: { http: { method: 'GET', sourceIp: '127.0.0.1' } },
    };
    const result = await handler(event as never, {} as never);
    expect(result.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
    });
    return Buffer.from(result.body ?? '', 'base64');
  }
});

describe('a source', () => {
  it('that is paused, deleted or unknown takes nothing in', async () => {
    const source = await newSource(ask);
    await ask(`PATCH /v1/sources/${source.id}`, { body: { status: 'paused' } });
    const refused = await push(ask, source, '{}');
    expect([refused.status, refused.body.code]).toEqual([503, 'source_closed']);
    expect(refused.headers['retry-after']).toBe('60');
    await ask(`DELETE /v1/sources/${source.id}`);
    world.clock.advance(31 * SECOND_MS);
    expect((await push(ask, source, '{}')).status).toBe(404);
    expect((await push(ask, { id: world.ids.next('src') }, '{}')).status).toBe(404);
  });

  it('that rejects takes no more than may be open, but knows its copies', async () => {
    const source = await newSource(ask, { maxBacklog: 2, overflow: 'reject' });
    const send = (n: number) => push(ask, source, JSON.stringify({ n }));
    expect([(await send(1)).status, (await send(2)).status]).toEqual([202, 202]);
    const refused = await send(3);
    expect([refused.status, refused.body.code]).toEqual([429, 'backpressure']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await send(2)).status).toBe(200);
    expect((await ask(`GET /v1/sources/${source.id}`)).body).toMatchObject({
      backlog: 2,
      oldestAgeSeconds: 0,
    });

    await work(world);
    expect((await ask(`GET /v1/sources/${source.id}`)).body).toMatchObject({ backlog: 0 });
    expect((await send(3)).status).toBe(202);
    expect(await faults()).toEqual([]);
  });

  it('that accepts takes ten times as much before it says 503', async () => {
    const source = await newSource(ask, { maxBacklog: 1, overflow: 'accept' });
    const statuses = [];
    for (let n = 0; n < 11; n += 1) statuses.push((await push(ask, source, `{"n":${n}}`)).status);
    expect(statuses).toEqual([...Array(10).fill(202), 503]);
  });

  it('never has more open than it may, however many come at the same time', async () => {
    const source = await newSource(ask, { maxBacklog: 5, overflow: 'reject' });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => push(ask, source, `{"n":${n}}`)),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(5);
    expect(await listed()).toHaveLength(5);
    expect(await faults()).toEqual([]);
  });

  it('has a rate, of all instances together', async () => {
    const source = await newSource(ask, { ratePerSecond: 2, overflow: 'reject' });
    const clients = [1, 2, 3].map(() => inboxClient(asInstance(world), tenantId as never).ask);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => push(clients[n % 3] as Ask, source, `{"n":${n}}`)),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(2);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(10);
    const known = answers.findIndex(({ status }) => status === 202);
    expect((await push(clients[0] as Ask, source, `{"n":${known}}`)).status).toBe(200);
    world.clock.advance(500);
    expect((await push(ask, source, '{"n":99}')).status).toBe(202);
  });

  it('answers copies above its rate also where only the body tells them', async () => {
    const terms = { ratePerSecond: 1, overflow: 'reject', dedupe: { windowSeconds: 60 } };
    const source = await newSource(ask, { scheme: 'none', secret: undefined, ...terms });
    const send = async (text: string) => (await ask(`POST /v1/in/${source.id}`, { text })).status;
    expect([await send('same'), await send('same'), await send('other')]).toEqual([202, 200, 429]);
  });
});

describe("a tenant's day", () => {
  const limitOf = async (dailyEvents: number) => {
    const about = { name: 'Acme', mode: 'live', createdAtMs: NOON_MS } as const;
    const limits = limitsOf({ dailyEvents });
    const settings = { requireIdempotencyKeys: false };
    const id = tenantId as `ten_${string}`;
    await world.db.commit([insertTenant({ id, ...about, limits, settings })]);
    return inboxClient(world, id, { dailyEvents }).ask;
  };

  it('has room for so many webhooks of others and of its own, and knows copies', async () => {
    const limited = await limitOf(3);
    const source = await newSource(ask, { maxBacklog: 2, overflow: 'reject' });
    const own = (key: string) => limited('POST /v1/webhooks', { body: { a: 1 }, key });
    expect((await push(ask, source, '{"n":1}')).status).toBe(202);
    expect((await push(ask, source, '{"n":1}')).status).toBe(200);
    expect((await push(ask, source, '{"n":2}')).status).toBe(202);
    const full = await push(ask, source, '{"n":3}');
    expect([full.status, full.body.code]).toEqual([429, 'backpressure']);
    expect([(await own('a')).status, (await own('a')).status]).toEqual([202, 200]);
    await work(world);
    for (const over of [await own('b'), await push(ask, source, '{"n":4}')]) {
      expect([over.status, over.body.code]).toEqual([429, 'rate_limited']);
      expect(over.headers['retry-after']).toBe(String(12 * 3_600 - 10));
    }
    expect((await push(ask, source, '{"n":2}')).status).toBe(200);
    world.clock.set(NOON_MS + DAY_MS);
    expect((await push(ask, source, '{"n":4}')).status).toBe(202);
  });
});

describe('a receipt', () => {
  it('costs 1 + 2 units, and 1 + 4 + 3 + 1 to go on', async () => {
    const source = await newSource(ask);
    await push(ask, source, '{"warm":1}');
    expect(await costOf(world, () => push(ask, source, '{"a":1}'))).toBe(UNITS.receipt);
    world.sent.splice(0, 1);
    expect(await costOf(world, () => work(world))).toBe(UNITS.forwarding);
    world.takeUnits();
    await push(ask, source, '{"a":1}');
    expect(world.takeUnits()).toBe(0);
  });

  it('of a bounded source costs 1 + 2 + 3 units, and 2 more when it goes on', async () => {
    const source = await newSource(ask, { maxBacklog: 9 });
    await push(ask, source, '{"warm":1}');
    world.takeUnits();
    await push(ask, source, '{"a":1}');
    expect(world.takeUnits()).toBe(2 + 2 + 2);
    world.sent.splice(0, 1);
    await work(world);
    expect(world.takeUnits()).toBe(1 + 4 + 2 + 3 + 1);
  });

  it('with a long body costs a read more; copies and what is refused write nothing', async () => {
    const source = await newSource(ask, { maxBacklog: 1, overflow: 'reject' });
    await push(ask, source, '{"warm":1}');
    await work(world);
    const long = (letter: string) => JSON.stringify({ a: letter.repeat(9 * KIB) });
    const first = () => push(ask, source, long('x'));
    expect(await costOf(world, first)).toBe('2 RRU, 14 + 2 WRU');
    const copy = async () => expect((await push(ask, source, long('x'))).status).toBe(200);
    expect(await costOf(world, copy)).toBe('1 RRU, 0 + 0 WRU');
    const refused = async () => expect((await push(ask, source, long('y'))).status).toBe(429);
    expect(await costOf(world, refused)).toBe('2 RRU, 0 + 0 WRU');
    const items = await scanTable(world.client, world.tables.inbox);
    // Two receipts, and the one body.
    const bodies = items.filter(
      (it) => String(it.pk).startsWith(tenantId) && it.bytes !== undefined,
    );
    expect(bodies).toHaveLength(3);
  });

  it('is found again when the answer to its put got lost', async () => {
    const source = await newSource(ask);
    let isLost = false;
    const commit: Db['commit'] = async (writes) => {
      const done = await world.db.commit(writes);
      if (isLost) return done;
      isLost = true;
      return world.db.commit(writes);
    };
    const { ask: unlucky } = inboxClient(
      { ...world, db: { ...world.db, commit } },
      tenantId as never,
    );
    expect((await push(unlucky, source, '{"a":1}')).status).toBe(200);
    expect(await listed()).toHaveLength(1);
    await work(world);
    expect(await eventsOf(world, tenantId)).toHaveLength(1);
  });

  it('is stored also where the queue takes nothing', async () => {
    const source = await newSource(ask);
    const send = async () => {
      throw new Error('no queue');
    };
    const { ask: alone } = inboxClient({ ...world, queues: { send } }, tenantId as never);
    const { status, body } = await push(alone, source, '{"a":1}');
    expect(status).toBe(202);
    expect((await shown(body.id)).status).toBe('pending');
  });

  it('ends after 30 days, for readers on the day, and its webhook may come anew', async () => {
    const source = await newSource(ask);
    const { body } = await push(ask, source, '{"a":1}');
    await work(world);
    world.clock.set(NOON_MS + 30 * DAY_MS - 1);
    expect((await shown(body.id)).status).toBe('completed');
    expect(await listed()).toHaveLength(1);
    expect((await push(ask, source, '{"a":1}')).status).toBe(200);
    world.clock.set(NOON_MS + 30 * DAY_MS);
    expect((await ask(`GET /v1/webhooks/${body.id}`)).status).toBe(404);
    expect(await listed()).toEqual([]);
    expect((await push(ask, source, '{"a":1}')).status).toBe(202);
  });

  it('that is open does not end', async () => {
    const source = await newSource(ask);
    const { body } = await push(ask, source, '{"a":1}');
    world.clock.set(NOON_MS + 40 * DAY_MS);
    expect((await shown(body.id)).status).toBe('pending');
    await work(world);
    expect((await shown(body.id)).status).toBe('completed');
  });
});
