import { beforeAll, describe, expect, it } from 'vitest';
import { findEvent } from '../../functions/events/event.store.ts';
import { KIB, MINUTE_MS } from '../../functions/shared/units.ts';
import type { Write } from '../../functions/shared/world.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { newEndpoint } from '../webhooks/delivery-world.ts';
import { type Answer, type Ask, type EventsWorld, eventsApi, eventsWorld } from './events-api.ts';

useStillTime();

let world: EventsWorld;
let ask: Ask;
beforeAll(async () => {
  world = await eventsWorld();
  ask = eventsApi(world);
});

const PATH = 'POST /v1/events/batch';
const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ type: 'order.paid', data: { n } }));
const idsOf = ({ body }: Answer) => body.data.map((it) => String(it.id));
const dataOf = async (tenant: string, id: string) => (await findEvent(world.db, tenant, id))?.data;
const countOf = async (tenant: string) => {
  const shards = [0, 1, 2, 3].map((shard) =>
    world.db.query({ table: 'outbox', index: 'listing', pk: `${tenant}#${shard}` }),
  );
  return (await Promise.all(shards)).flatMap((it) => it.items).length;
};

/** A database on which this commit, counted from 1, gets no answer after it was done, or before. */
function faulty(nth: number, when: 'before' | 'after'): EventsWorld {
  let commits = 0;
  const commit = async (writes: readonly Write[]) => {
    commits += 1;
    if (commits === nth && when === 'before') throw new Error('cut');
    const done = await world.db.commit(writes);
    if (commits === nth) throw new Error('cut');
    return done;
  };
  return { ...world, db: { ...world.db, commit } };
}

describe('POST /v1/events/batch', () => {
  it('stores up to a hundred events, in their order, each as it was written', async () => {
    const tenant = newTenant(world);
    const raw = Array.from({ length: 100 }, (_, n) => `{ "n" : ${n}, "big":12345678901234567890 }`);
    const list = raw.map((it) => `{"data":${it},"type":"order.paid"}`).join(' ,');
    const answer = await ask(tenant, PATH, { text: `{"events":[ ${list} ]}`, key: 'all' });
    const ids = idsOf(answer);

    expect([answer.status, new Set(ids).size]).toEqual([202, 100]);
    expect(ids.toSorted()).toEqual(ids);
    expect(await Promise.all(ids.map((id) => dataOf(tenant, id)))).toEqual(raw);
    expect(await countOf(tenant)).toBe(100);
  });

  it('costs 2 + 1 for each event, and 1 for its key', async () => {
    const tenant = newTenant(world);
    world.takeUnits();
    await ask(tenant, PATH, { body: { events: events(7) } });
    expect(world.takeUnits()).toBe(7 * 3);
    await ask(tenant, PATH, { body: { events: events(7) }, key: 'k' });
    expect(world.takeUnits()).toBe(7 * 3 + 1);
    await ask(tenant, PATH, { body: { events: events(7) }, key: 'k' });
    // Only the look at whether the first event is there.
    expect(world.takeUnits()).toBe(1);
    await ask(tenant, PATH, { body: { events: events(1) } });
    expect(world.takeUnits()).toBe(2);
  });

  it('answers a repetition as the first time, and refuses another body', async () => {
    const tenant = newTenant(world);
    const body = { events: events(3) };
    const first = await ask(tenant, PATH, { body, key: 'k' });
    world.clock.advance(MINUTE_MS);
    const again = await ask(tenant, PATH, { body, key: 'k' });

    expect([again.status, again.headers['idempotent-replayed']]).toEqual([202, 'true']);
    expect(again.body).toEqual(first.body);
    expect(await countOf(tenant)).toBe(3);
    const other = await ask(tenant, PATH, { body: { events: events(2) }, key: 'k' });
    expect(other.body.code).toBe('idempotency_key_reused');
    const single = { type: 'order.paid', data: 1 };
    const elsewhere = await ask(tenant, 'POST /v1/events', { body: single, key: 'k' });
    expect(elsewhere.body.code).toBe('idempotency_key_reused');
  });

  it.each([
    { lost: 'the key', nth: 1, when: 'before' as const },
    { lost: 'the answer to the key', nth: 1, when: 'after' as const },
    { lost: 'the events', nth: 2, when: 'before' as const },
    { lost: 'the answer to the events', nth: 2, when: 'after' as const },
  ])('stores each event once when $lost got lost and it is sent again', async ({ nth, when }) => {
    const tenant = newTenant(world);
    const asked = { body: { events: events(100) }, key: 'k' };
    const cut = await eventsApi(faulty(nth, when))(tenant, PATH, asked);
    expect(cut.status).toBe(500);
    expect([0, 100]).toContain(await countOf(tenant));
    expect((await ask(tenant, PATH, asked)).status).toBe(202);
    expect(await countOf(tenant)).toBe(100);
  });

  it('stores nothing under a time that nobody looks at any more', async () => {
    const tenant = newTenant(world);
    const asked = { body: { events: events(2) }, key: 'k' };
    await eventsApi(faulty(2, 'before'))(tenant, PATH, asked);
    world.clock.advance(15 * MINUTE_MS);
    expect((await ask(tenant, PATH, asked)).body.code).toBe('conflict');
    expect(await countOf(tenant)).toBe(0);
  });

  it('is stored once however many copies with one key come at once', async () => {
    const tenant = newTenant(world);
    const asked = { body: { events: events(20) }, key: 'k' };
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(tenant, PATH, asked)));
    expect(answers.map((it) => it.status)).toEqual(answers.map(() => 202));
    expect(new Set(answers.map((it) => idsOf(it).join())).size).toBe(1);
    expect(await countOf(tenant)).toBe(20);
  });

  it('tells each fault by its pointer, and stores nothing', async () => {
    const tenant = newTenant(world);
    const [good] = events(1);
    const list = [good, { ...good, type: 'account.x' }, { data: 1 }, { type: 'a', dat: 1 }, 7];
    const { status, body } = await ask(tenant, PATH, { body: { events: list } });
    expect(status).toBe(422);
    expect(body.errors.map((it) => `${it.pointer} ${it.code}`)).toEqual([
      '/events/1/type invalid',
      '/events/2/type required',
      '/events/3/data required',
      '/events/3/dat unknown_field',
      '/events/4 invalid',
    ]);
    expect(await countOf(tenant)).toBe(0);
  });

  it('names the event whose data is too large', async () => {
    const list = [...events(2), { type: 'big', data: 'x'.repeat(64 * KIB - 1) }];
    const { status, body } = await ask(newTenant(world), PATH, { body: { events: list } });
    expect([status, body.errors[0]?.pointer]).toEqual([413, '/events/2/data']);
  });

  it('names each event for an endpoint that is not there', async () => {
    const { id, tenantId } = await newEndpoint(world, 'http://127.0.0.1:1');
    const nobody = `end_${'0'.repeat(26)}`;
    const list = [id, nobody, id, nobody].map((endpointId) => ({ type: 'a', data: 1, endpointId }));
    world.units.splice(0);
    const { status, body } = await ask(tenantId, PATH, { body: { events: list } });
    const pointers = body.errors.map((it) => it.pointer);
    expect([status, pointers]).toEqual([404, ['/events/1/endpointId', '/events/3/endpointId']]);
    // Each endpoint is looked at once, and nothing is written.
    expect(world.units.map((it) => it.operation)).toEqual(['get', 'get']);
  });

  it('has 1 to 100 events and 1 MB', async () => {
    const tenant = newTenant(world);
    const refused = async (count: number) =>
      (await ask(tenant, PATH, { body: { events: events(count) } })).body.code;
    expect(await refused(0)).toBe('validation_failed');
    expect(await refused(101)).toBe('payload_too_large');

    const fill = (bytes: number) => {
      const text = JSON.stringify({ events: events(1) });
      return text + ' '.repeat(bytes - text.length);
    };
    expect((await ask(tenant, PATH, { text: fill(1_024 * KIB) })).status).toBe(202);
    expect((await ask(tenant, PATH, { text: fill(1_024 * KIB + 1) })).status).toBe(413);
    const large = Array.from({ length: 15 }, () => ({ type: 'a', data: 'x'.repeat(64 * KIB - 2) }));
    expect((await ask(tenant, PATH, { body: { events: large } })).status).toBe(202);
  });
});
