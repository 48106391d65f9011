import { beforeAll, describe, expect, it } from 'vitest';
import { findEvent } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import { findSweep } from '../../functions/timers/sweep.store.ts';
import { sweepTable, sweepTables } from '../../functions/timers/sweep-tables.ts';
import { deliveryKey, findDeliveries } from '../../functions/webhooks/delivery.store.ts';
import { type Delivery, isFinal } from '../../functions/webhooks/delivery.ts';
import { findWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { reconcileOutbox } from '../../functions/webhooks/reconcile-outbox.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { costOf } from '../support/cost.ts';
import { useStillTime } from '../support/still-time.ts';
import { UNITS } from '../support/units.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
  handleDue,
  newEndpoint,
  newEvent,
  recordOf,
  takeDue,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const MINUTE_MS = 60_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
  await reconcileOutbox(world);
  await sweepTable('deliveries', world);
});

/** All queues are emptied: whatever was in them is gone. */
const purge = () => world.sent.splice(0);

async function work(): Promise<void> {
  await handleDue(world);
}

async function relayed(event: OutboxEvent): Promise<void> {
  await relayEvents([event], world);
}

const minuteNow = () => Math.floor(world.clock.nowMs() / MINUTE_MS);

describe('the reconciler', () => {
  it('relays an event that was never relayed, when it is two minutes old', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await newEvent(world, endpoint.tenantId);
    world.clock.advance(119_999);
    await reconcileOutbox(world);
    expect(world.sent).toEqual([]);
    world.clock.advance(1);
    await reconcileOutbox(world);
    expect(world.sent.map((it) => it.body.event)).toEqual([event.id]);
    expect((await findEvent(world.db, event.tenantId, event.id))?.sentTo).toEqual([endpoint.id]);
    await work();
  });

  it('sends again what never got a record, when it is twenty minutes old', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await newEvent(world, endpoint.tenantId);
    await relayed(event);
    purge();
    world.clock.advance(20 * MINUTE_MS - 1);
    await reconcileOutbox(world);
    expect(world.sent).toEqual([]);
    world.clock.advance(1);
    await reconcileOutbox(world);
    await work();
    expect(receiver.got).toHaveLength(1);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
  });

  it('finds the first attempt of a worker that died', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await newEvent(world, endpoint.tenantId);
    await relayed(event);
    const [message] = takeDue(world);
    const died = new Promise<void>((resolve) => {
      const post = () => {
        resolve();
        return new Promise<never>(() => undefined);
      };
      if (message) void handle(message, { ...world, http: { ...world.http, post } });
    });
    await died;
    expect((await recordOf(world, endpoint, event)).status).toBe('inflight');

    world.clock.advance(20 * MINUTE_MS);
    await reconcileOutbox(world);
    await work();
    const { dueMs = 0 } = await recordOf(world, endpoint, event);
    world.clock.set(dueMs);
    await work();
    expect(receiver.got.map((it) => it.headers['webhook-possible-duplicate'])).toEqual(['1']);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
  });

  it('passes a minute once all of its events are looked after', async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url);
    await relayed(await newEvent(world, endpoint.tenantId));
    const minute = minuteNow();
    world.clock.advance(3 * MINUTE_MS);
    await reconcileOutbox(world);
    const young = await findWatches(world.db);
    expect(young.relay).toMatchObject({ through: minuteNow() - 3, open: [] });
    expect(young.recheck?.through).toBeLessThan(minute);

    world.clock.advance(18 * MINUTE_MS);
    purge();
    await reconcileOutbox(world);
    expect((await findWatches(world.db)).recheck).toMatchObject({
      through: minuteNow() - 21,
      open: [{ minute }],
    });
    await work();
    world.clock.advance(5 * MINUTE_MS);
    await reconcileOutbox(world);
    expect((await findWatches(world.db)).recheck?.open).toEqual([]);
  });
});

describe('the sweeper', () => {
  it('hands on a retry that no message can wait for, at the time when it is due', async () => {
    const receiver = await startReceiver((nth) => (nth === 1 ? 500 : 200));
    const endpoint = await newEndpoint(world, receiver.url, {
      retry: { maxAttempts: 2, scheduleSeconds: [1_200] },
    });
    const event = await newEvent(world, endpoint.tenantId);
    purge();
    await relayed(event);
    await work();
    expect(world.sent).toEqual([]);
    const { dueMs = 0 } = await recordOf(world, endpoint, event);

    world.clock.set(dueMs - 90_000);
    await sweepTable('deliveries', world);
    const mine = world.sent.filter((it) => it.body.dueMs === dueMs);
    expect(mine).toMatchObject([{ queue: 'delivery-slow', body: { v: 1, sk: event.id } }]);
    const aheadMs = dueMs - (mine[0]?.atMs ?? 0);
    expect(aheadMs).toBeGreaterThanOrEqual(1_000);
    expect(aheadMs).toBeLessThan(2_000);
    world.clock.advance(MINUTE_MS);
    await sweepTable('deliveries', world);
    expect(world.sent.filter((it) => it.body.dueMs === dueMs)).toHaveLength(1);

    world.clock.set(mine[0]?.atMs ?? 0);
    await work();
    expect(world.clock.nowMs()).toBe(dueMs);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
  });

  it('sends again what stays overdue, and passes its minute when it is gone', async () => {
    const receiver = await startReceiver((nth) => (nth === 1 ? 500 : 200));
    const endpoint = await newEndpoint(world, receiver.url, {
      retry: { maxAttempts: 2, scheduleSeconds: [1_000] },
    });
    const event = await newEvent(world, endpoint.tenantId);
    await relayed(event);
    await work();
    const row = await recordOf(world, endpoint, event);
    const { dueMs = 0 } = row;
    const ticks: number[] = [];
    for (const minute of [-1, 1, 2, 3, 4, 5, 6, 12]) {
      world.clock.set(dueMs + minute * MINUTE_MS);
      purge();
      await sweepTable('deliveries', world);
      if (world.sent.some((it) => it.body.dueMs === dueMs)) ticks.push(minute);
    }
    expect(ticks).toEqual([-1, 1, 2, 3, 5]);
    const open = async () =>
      (await findSweep(world.db, 'deliveries'))?.watch.open.map((it) => it.minute);
    const minute = Math.floor(dueMs / MINUTE_MS);
    expect(await open()).toContain(minute);

    await handle({ body: { v: 1, ...deliveryKey(row), dueMs } }, world);
    await sweepTable('deliveries', world);
    expect(await open()).not.toContain(minute);
  });
});

describe('a quiet minute', () => {
  it('costs about seven hundred empty queries, which is two dollars a month', async () => {
    const quiet = await deliveryWorld();
    const tick = async () => {
      quiet.clock.advance(MINUTE_MS);
      await reconcileOutbox(quiet);
      await sweepTables(quiet);
    };
    for (let minute = 0; minute < 3; minute += 1) await tick();
    expect(await costOf(quiet, tick)).toBe(UNITS.quietMinute);
    const queries = quiet.units.filter((it) => it.operation === 'query');
    // Two checks of two minutes, and seven tables with six minutes each.
    expect(queries).toHaveLength((2 * 2 + 7 * 6) * 16);
    const dollars = 0.125 / 1_000_000;
    expect(queries.length * 0.5 * 60 * 24 * 30 * dollars).toBeLessThan(2);
  });
});

describe('purging every queue', () => {
  it('at any moment loses no delivery, and sends no copy after a success', async () => {
    const receiver = await startReceiver((nth) => (nth % 3 === 0 ? 200 : 500));
    const endpoint = await newEndpoint(world, receiver.url, {
      retry: { maxAttempts: 4, scheduleSeconds: [40, 300] },
    });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 9 }, () => newEvent(world, tenantId)));
    for (const [index, event] of events.entries()) {
      if (index % 2 === 0) await relayed(event);
      if (index % 3 === 0) purge();
      await work();
      if (index % 3 === 1) purge();
    }
    // What stays overdue is sent again each five minutes: steps of six meet that soon.
    const rows = async () => {
      const names = events.map((it) => ({ tenantId, endpointId: endpoint.id, eventId: it.id }));
      return (await findDeliveries(world.db, names)).flatMap((it) => it ?? []);
    };
    const isSettled = (all: readonly Delivery[]) => all.length === 9 && all.every(isFinal);
    for (let round = 0; round < 30 && !isSettled(await rows()); round += 1) {
      world.clock.advance(6 * MINUTE_MS);
      await reconcileOutbox(world);
      await sweepTable('deliveries', world);
      if (round === 0 || round === 6) purge();
      await work();
      if (round % 2 === 0) purge();
    }
    const copies = Map.groupBy(receiver.got, (it) => String(it.headers['webhook-id']));
    for (const row of await rows()) {
      expect(['delivered', 'exhausted']).toContain(row.status);
      expect(copies.get(row.eventId)).toHaveLength(row.seq);
    }
  });
});
