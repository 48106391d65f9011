import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SECOND_MS } from '../../functions/shared/units.ts';
import type { Ask } from '../support/room-client.ts';
import { NOON_MS } from '../support/world.ts';
import {
  asInstance,
  eventsOf,
  type InboxWorld,
  inboxClient,
  inboxFaults,
  inboxWorld,
  newSource,
  push,
  work,
} from './inbox-house.ts';

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
const post = (text: string, key: string) => ask('POST /v1/webhooks', { text, key });

describe('POST /v1/webhooks', () => {
  it('stores a webhook under its key, and sends it on byte for byte', async () => {
    const text = '{"type": "order.paid",  "n": 1.0}';
    const { status, body } = await post(text, 'k1');
    expect([status, body.status]).toEqual([202, 'pending']);
    await work(world);
    expect((await eventsOf(world, tenantId))[0]?.data).toMatchObject({
      sourceId: 'api',
      body: text,
    });
    expect(await shown(body.id)).toMatchObject({ status: 'completed', sourceId: 'api' });
  });

  it('answers a repetition 200 with the same id, and another body under the key 422', async () => {
    const first = await post('{"a": 1}', 'k1');
    const again = await post('{ "a":1}', 'k1');
    expect([again.status, again.body.id]).toEqual([200, first.body.id]);
    expect(again.headers['idempotent-replayed']).toBe('true');
    const other = await post('{"a":2}', 'k1');
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
    const { ask: neighbour } = inboxClient(world);
    const theirs = await neighbour('POST /v1/webhooks', { text: '{"a":2}', key: 'k1' });
    expect(theirs.status).toBe(202);
  });

  it('is one receipt for 100 copies at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => post('{"a":1}', 'same')));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(99);
    await work(world);
    expect(await eventsOf(world, tenantId)).toHaveLength(1);
    expect(await faults()).toEqual([]);
  });

  it('refuses with 429 when the backlog is full, and loses nothing of what it took', async () => {
    const { ask: small } = inboxClient({ ...world, apiBacklogMax: 3 }, tenantId as never);
    const send = (n: number) => small('POST /v1/webhooks', { text: `{"n":${n}}`, key: `k${n}` });
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => send(n)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.body.code).toBe('backpressure');
    const waits = answers.flatMap(({ headers }) => headers['retry-after'] ?? []);
    expect(new Set(waits).size).toBeGreaterThan(1);
    await work(world);
    expect(await eventsOf(world, tenantId)).toHaveLength(3);
    expect((await send(99)).status).toBe(202);
    expect(await faults()).toEqual([]);
  });

  it.each([
    ['a list', '[1]', 422],
    ['a number', '1', 422],
    ['no JSON', '{"a":', 400],
  ])('refuses %s', async (_what, text, status) => {
    expect((await post(text, 'k')).status).toBe(status);
  });

  it('wants a key', async () => {
    const { status, body } = await ask('POST /v1/webhooks', { body: { a: 1 } });
    expect([status, body.code]).toEqual([400, 'idempotency_key_required']);
  });
});

describe('GET /v1/webhooks', () => {
  it('lists by status and by source, newest first, page by page', async () => {
    const source = await newSource(ask);
    const ids: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      world.clock.advance(1);
      const text = `{"n":${n}}`;
      const made = n % 2 === 0 ? await post(text, `k${n}`) : await push(ask, source, text);
      ids.unshift(made.body.id);
      if (n === 3) await work(world);
    }
    const listed = async (query: string) =>
      (await ask(`GET /v1/webhooks?${query}`)).body.data.map((it) => it.id);
    expect(await listed('')).toEqual(ids);
    expect(await listed('status=pending')).toEqual(ids.slice(0, 2));
    expect(await listed('status=completed')).toEqual(ids.slice(2));
    expect(await listed('status=processing')).toEqual([]);
    expect(await listed('sourceId=api')).toEqual(ids.filter((_, n) => n % 2 === 1));
    expect(await listed(`sourceId=${source.id}&status=completed`)).toEqual([ids[2], ids[4]]);

    const pages: string[] = [];
    let cursor: string | undefined;
    do {
      const next: string = cursor === undefined ? '' : `&cursor=${cursor}`;
      const { body } = await ask(`GET /v1/webhooks?limit=4${next}`);
      pages.push(...body.data.map((it) => it.id));
      cursor = body.nextCursor;
    } while (cursor !== undefined);
    expect(pages).toEqual(ids);
    const foreign = await inboxClient(world).ask('GET /v1/webhooks');
    expect(foreign.body.data).toEqual([]);
  });

  it('says of one what becomes of its event at the endpoints that want it', async () => {
    const { body } = await post('{"a":1}', 'k1');
    expect(await shown(body.id)).not.toHaveProperty('deliveries');
    await work(world);
    expect((await shown(body.id)).deliveries).toEqual([]);
    expect((await inboxClient(world).ask(`GET /v1/webhooks/${body.id}`)).status).toBe(404);
  });
});

describe('a replay', () => {
  it('of a completed webhook is a new event, which names the one before', async () => {
    const { body } = await post('{"a":1}', 'k1');
    await work(world);
    const [first] = await eventsOf(world, tenantId);
    world.clock.advance(SECOND_MS);

    const replay = await ask(`POST /v1/webhooks/${body.id}/replay`);
    expect([replay.status, replay.body.status]).toEqual([202, 'pending']);
    expect((await ask(`POST /v1/webhooks/${body.id}/replay`)).body.code).toBe('not_retryable');
    expect(await faults()).toEqual([]);
    await work(world);
    const [, second, ...others] = await eventsOf(world, tenantId);
    expect(others).toEqual([]);
    expect(second?.data).toMatchObject({
      receiptId: body.id,
      body: '{"a":1}',
      replayOf: first?.id,
    });
    expect(await shown(body.id)).toMatchObject({ eventId: second?.id, replayOf: first?.id });
    expect(await faults()).toEqual([]);
  });

  it('of copies under one key is one, also at the same time and after its end', async () => {
    const { body } = await post('{"a":1}', 'k1');
    await work(world);
    world.clock.advance(SECOND_MS);
    const replay = () => ask(`POST /v1/webhooks/${body.id}/replay`, { key: 'r1' });
    const answers = await Promise.all(Array.from({ length: 10 }, replay));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(202));
    await work(world);
    expect((await replay()).headers['idempotent-replayed']).toBe('true');
    await work(world);
    expect(await eventsOf(world, tenantId)).toHaveLength(2);
    expect(await faults()).toEqual([]);
  });

  it('of one that waits or is not there is refused', async () => {
    const { body } = await post('{"a":1}', 'k1');
    const early = await ask(`POST /v1/webhooks/${body.id}/replay`);
    expect([early.status, early.body.code]).toEqual([409, 'not_retryable']);
    const unknown = await ask(`POST /v1/webhooks/${world.ids.next('rcp')}/replay`);
    expect(unknown.status).toBe(404);
  });

  it('by two instances at the same time is one', async () => {
    const { body } = await post('{"a":1}', 'k1');
    await work(world);
    const asks = [1, 2, 3, 4].map(() => inboxClient(asInstance(world), tenantId as never).ask);
    const answers = await Promise.all(asks.map((it) => it(`POST /v1/webhooks/${body.id}/replay`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409]);
    await work(world);
    expect(await eventsOf(world, tenantId)).toHaveLength(2);
  });
});

describe('the count of requests', () => {
  it('has each once, by what became of it', async () => {
    const results: unknown[] = [];
    const count = (name: string, labels: object = {}) => void results.push([name, labels]);
    const meters = { ...world.meters, count };
    const { ask: counted } = inboxClient({ ...world, meters }, tenantId as never);
    const source = await newSource(counted);
    await push(counted, source, '{}');
    await push(counted, source, '{}');
    await counted(`POST /v1/in/${source.id}`, { text: '{}' });
    const own = (text: string) => counted('POST /v1/webhooks', { text, key: 'k1' });
    for (const text of ['{"a":1}', '{"a":1}', '{"a":2}']) await own(text);
    const each = ['accepted', 'duplicate', 'rejected'];
    const ofRoom = results.filter((it) => String(it).startsWith('webhook_'));
    expect(ofRoom).toEqual(
      [...each, ...each].map((it) => ['webhook_events_total', { result: it }]),
    );
  });
});
