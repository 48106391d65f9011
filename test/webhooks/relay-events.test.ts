import { beforeAll, describe, expect, it } from 'vitest';
import { eventKey, findEvent } from '../../functions/events/event.store.ts';
import type { OutboxEvent, RelayedEvent } from '../../functions/events/event.ts';
import { Problem } from '../../functions/shared/problem.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { relayRecords } from '../../functions/webhooks/relay-records.ts';
import { rememberSets } from '../../functions/webhooks/remember-endpoints.ts';
import { useStillTime } from '../support/still-time.ts';
import { UNITS, unitsIn } from '../support/units.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  newEndpoint,
  newEvent,
  recordOf,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const DAY_MS = 86_400_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

const url = 'http://127.0.0.1:1/hook';
const stored = (event: { tenantId: string; id: string }) =>
  findEvent(world.db, event.tenantId, event.id);

/** The endpoints that messages of this event are for. */
const sentTo = (eventId: string) =>
  world.sent.filter((it) => it.body.event === eventId).map((it) => it.body.endpoint);

/** As the reconciler reads it. */
async function read(event: OutboxEvent): Promise<RelayedEvent> {
  const found = await stored(event);
  if (!found) throw new Error('there is no such event');
  return found;
}

/** A wrong kind of value makes the endpoint unreadable. */
async function spoil({ tenantId, id }: Endpoint, timeoutMs: string | number): Promise<void> {
  const key = { pk: tenantId, sk: id };
  const update = 'SET timeoutMs = :timeout';
  await world.db.commit([
    { kind: 'update', table: 'endpoints', key, update, values: { ':timeout': timeoutMs } },
  ]);
}

describe('relayEvents', () => {
  it('sends one message per endpoint that wants the event, and notes them', async () => {
    const all = await newEndpoint(world, url);
    const { tenantId } = all;
    const some = await newEndpoint(world, url, { tenantId, eventTypes: ['order.*'] });
    await newEndpoint(world, url, { tenantId, eventTypes: ['other'] });
    await newEndpoint(world, url, { tenantId, status: 'disabled' });
    const paused = await newEndpoint(world, url, { tenantId, status: 'paused' });
    await newEndpoint(world, url);
    const event = await newEvent(world, tenantId);

    expect(await relayEvents([event], world)).toBe(0);
    const wanted = [all.id, some.id, paused.id].sort();
    expect(sentTo(event.id).sort()).toEqual(wanted);
    expect(await stored(event)).toMatchObject({
      relayedAtMs: world.clock.nowMs(),
      sentTo: expect.arrayContaining(wanted),
    });
    const message = world.sent.find((it) => it.body.event === event.id);
    expect(message).toMatchObject({ queue: 'delivery-fast', group: tenantId });
    expect(message?.body).toMatchObject({ v: 1, seq: 1, tenant: tenantId });
  });

  it('sends to the one endpoint that the event names', async () => {
    const { id, tenantId } = await newEndpoint(world, url, { eventTypes: ['other'] });
    await newEndpoint(world, url, { tenantId });
    const event = await newEvent(world, tenantId, { to: id });
    await relayEvents([event], world);
    expect(sentTo(event.id)).toEqual([id]);
  });

  it('marks an event that nobody wants', async () => {
    const { tenantId } = await newEndpoint(world, url, { eventTypes: ['other'] });
    const event = await newEvent(world, tenantId);
    await relayEvents([event], world);
    expect(await stored(event)).toMatchObject({ sentTo: [] });
  });

  it('never misses an endpoint that was made a moment ago', async () => {
    const { tenantId } = await newEndpoint(world, url);
    await relayEvents([await newEvent(world, tenantId)], world);
    const young = await newEndpoint(world, url, { tenantId });
    const event = await newEvent(world, tenantId);
    await relayEvents([event], world);
    expect(sentTo(event.id)).toContain(young.id);
  });

  it('adds to what another relay has noted, which may have read another list', async () => {
    const early = await newEndpoint(world, url);
    const { tenantId } = early;
    const event = await newEvent(world, tenantId);
    const late = await newEndpoint(world, url, { tenantId });
    const onlyEarly = { ...world, endpointSets: async () => [early] };
    await relayEvents([event], world);
    await relayEvents([event], onlyEarly);
    expect((await stored(event))?.sentTo).toEqual([early.id, late.id].sort());
  });

  it('reads the version once per batch and tenant, and marks with one write unit', async () => {
    const { tenantId } = await newEndpoint(world, url);
    await relayEvents([await newEvent(world, tenantId)], world);
    const events = [await newEvent(world, tenantId), await newEvent(world, tenantId)];
    world.takeUnits();
    await relayEvents(events, world);
    expect(world.units.map((it) => it.operation).sort()).toEqual(['get', 'update', 'update']);
    const marks = world.units.filter((it) => it.operation === 'update');
    const { writes } = unitsIn(UNITS.relayMark);
    expect(marks.map((it) => it.consumed[0]?.CapacityUnits)).toEqual([writes, writes]);
  });

  it('leaves unmarked what the queue did not take, and only that', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const events = [await newEvent(world, tenantId), await newEvent(world, tenantId)];
    const picky = { ...world, queues: { send: async () => [1] } };
    expect(await relayEvents(events, picky)).toBe(1);
    const marks = await Promise.all(events.map(stored));
    expect(marks.map((it) => it?.relayedAtMs !== undefined)).toEqual([true, false]);

    const broken = { ...world, queues: { send: () => Promise.reject(new Error('down')) } };
    expect(await relayEvents([await newEvent(world, tenantId)], broken)).toBe(1);
  });

  it('does not let one damaged endpoint stop the others, of its tenant or of another', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const damaged = await newEndpoint(world, url);
    const beside = await newEndpoint(world, url, { tenantId: damaged.tenantId });
    await spoil(damaged, 'soon');
    const bad = await newEvent(world, damaged.tenantId);
    const good = await newEvent(world, tenantId);
    expect(await relayEvents([bad, good], world)).toBe(1);
    expect((await stored(bad))?.relayedAtMs).toBeUndefined();
    expect(sentTo(bad.id)).toEqual([beside.id]);
    expect((await stored(good))?.relayedAtMs).toBeDefined();
  });

  it('hands an event on once, however long a damaged endpoint keeps it unmarked', async () => {
    const limited = await newEndpoint(world, url, { perSecond: 1 });
    const { tenantId } = limited;
    const damaged = await newEndpoint(world, url, { tenantId });
    await spoil(damaged, 'soon');
    const event = await newEvent(world, tenantId);
    expect(await relayEvents([event], world)).toBe(1);
    const { tatUs } = await findPace(world.db, limited);
    for (let nth = 0; nth < 2; nth += 1) {
      expect(await relayEvents([await read(event)], world)).toBe(1);
    }
    expect(sentTo(event.id)).toEqual([limited.id]);
    expect((await findPace(world.db, limited)).tatUs).toBe(tatUs);

    // And the damaged one gets it when it has been repaired.
    await spoil(damaged, 1_000);
    world = { ...world, endpointSets: rememberSets(world) };
    expect(await relayEvents([await read(event)], world)).toBe(0);
    expect(sentTo(event.id)).toEqual([limited.id, damaged.id]);
    expect((await stored(event))?.sentTo).toEqual([limited.id, damaged.id].sort());
  });

  it('passes an event on without a damaged endpoint after a day: it is missing there', async () => {
    const { id, tenantId } = await newEndpoint(world, url);
    const damaged = await newEndpoint(world, url, { tenantId });
    await spoil(damaged, 'soon');
    const event = await newEvent(world, tenantId);
    world.clock.advance(DAY_MS - 1);
    expect(await relayEvents([await read(event)], world)).toBe(1);
    world.clock.advance(1);
    expect(await relayEvents([await read(event)], world)).toBe(0);
    expect(await stored(event)).toMatchObject({ relayedAtMs: world.clock.nowMs(), sentTo: [id] });
    expect(world.lines).toContainEqual(
      expect.objectContaining({ event: 'relay.passed-on', tenantId, damaged: [damaged.id] }),
    );
  });

  it('notes what the queue took, and sends only the rest again', async () => {
    const one = await newEndpoint(world, url);
    const { tenantId } = one;
    await newEndpoint(world, url, { tenantId });
    const event = await newEvent(world, tenantId);
    const [, second] = await world.endpointSets(tenantId);
    const picky = { ...world, queues: { send: async () => [1] } };
    expect(await relayEvents([event], picky)).toBe(1);
    expect(await relayEvents([await read(event)], world)).toBe(0);
    expect(sentTo(event.id)).toEqual([second?.id]);
    expect((await stored(event))?.sentTo).toHaveLength(2);
  });

  it('is tried again as a whole in an outage', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const event = await newEvent(world, tenantId);
    const outage = { ...world, endpointSets: () => Promise.reject(new Problem('unavailable')) };
    await expect(relayEvents([event], outage)).rejects.toThrow(Problem);
  });

  it('delivers once, although it relays twice', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await newEvent(world, endpoint.tenantId);
    world.sent.splice(0);
    await relayEvents([event], world);
    await drain(world);
    await relayEvents([event], world);
    await drain(world);
    expect(receiver.got).toHaveLength(1);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'delivered', seq: 1 });
  });

  it('tells of exhausted deliveries only whom names them, never their own endpoint', async () => {
    const failing = await newEndpoint(world, url, {
      retry: { maxAttempts: 1 },
      eventTypes: ['order.paid', 'delivery.exhausted'],
    });
    const { tenantId } = failing;
    const watcher = await newEndpoint(world, url, { tenantId, eventTypes: ['delivery.*'] });
    await newEndpoint(world, url, { tenantId });
    const data = JSON.stringify({ endpointId: failing.id });
    const event = await newEvent(world, tenantId, { type: 'delivery.exhausted', data });
    await relayEvents([event], world);
    expect(sentTo(event.id)).toEqual([watcher.id]);
  });
});

describe('a limited endpoint', () => {
  it('gets its messages at its slots, and a record for what is far away', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.01 });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 10 }, () => newEvent(world, tenantId)));
    world.sent.splice(0);
    const startMs = world.clock.nowMs();
    await relayEvents(events, world);

    // One slot each 105.3 seconds: eight of them within the next 14 minutes.
    expect(world.sent.map((it) => it.body.slot)).toEqual(
      Array.from({ length: 8 }, (_, n) => startMs + Math.ceil((n * 1_000) / 0.0095)),
    );
    for (const event of events.slice(8)) {
      expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'waiting', seq: 0 });
    }
    expect(await stored(events[9] ?? { tenantId: '', id: '' })).toHaveProperty('sentTo');
    await drain(world);
    expect(receiver.got).toHaveLength(8);
  });

  it('leaves its events unmarked when no slot can be had, and nobody else’s', async () => {
    const limited = await newEndpoint(world, url, { perSecond: 1, eventTypes: ['slow'] });
    const { tenantId } = limited;
    await newEndpoint(world, url, { tenantId, eventTypes: ['quick'] });
    const slow = await newEvent(world, tenantId, { type: 'slow' });
    const quick = await newEvent(world, tenantId, { type: 'quick' });
    const throttled = {
      ...world,
      db: {
        ...world.db,
        commit: async (writes: Parameters<typeof world.db.commit>[0]) =>
          writes[0]?.table === 'endpoints'
            ? { ok: false as const, reasons: [{ code: 'throttled' as const }] }
            : world.db.commit(writes),
      },
    };
    expect(await relayEvents([slow, quick], throttled)).toBe(1);
    expect((await stored(slow))?.relayedAtMs).toBeUndefined();
    expect((await stored(quick))?.relayedAtMs).toBeDefined();
  });
});

describe('relayRecords', () => {
  it('relays the events of a batch and hands back what is none', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const event = await newEvent(world, tenantId);
    const page = await world.db.query({
      table: 'outbox',
      index: 'listing',
      pk: `${tenantId}#0`,
    });
    expect(page.items.length).toBeLessThanOrEqual(1);
    const item = {
      id: event.id,
      tenant: tenantId,
      type: event.type,
      ts: event.occurredAtMs,
      data: event.data,
      later: 'a field of a later release',
    };
    const failed = await relayRecords(
      [
        { sequenceNumber: '1', item },
        { sequenceNumber: '2', item: { pk: 'x', sk: 'y' } },
      ],
      world,
    );
    expect(failed).toEqual(['2']);
    expect((await stored(event))?.relayedAtMs).toBeDefined();
  });

  it('take no new slots when a poison one brings the rest of its batch again', async () => {
    const limited = await newEndpoint(world, url, { perSecond: 1 });
    const { tenantId } = limited;
    const event = await newEvent(world, tenantId);
    const item = (await world.db.get('outbox', eventKey(tenantId, event.id))) ?? {};
    const batch = [
      { sequenceNumber: '1', item: { pk: 'x', sk: 'y' } },
      { sequenceNumber: '2', item },
    ];
    // Each time, as it may happen, in another instance.
    for (let nth = 0; nth < 3; nth += 1) {
      const instance = { ...world, endpointSets: rememberSets(world) };
      expect(await relayRecords(batch, instance)).toEqual(['1']);
    }
    expect(sentTo(event.id)).toEqual([limited.id]);
    const { tatUs = 0 } = await findPace(world.db, limited);
    expect(tatUs / 1_000 - world.clock.nowMs()).toBeLessThan(2_000);
  });
});
