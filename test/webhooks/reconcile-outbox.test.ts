import { beforeEach, describe, expect, it } from 'vitest';
import { eventKey } from '../../functions/events/event.store.ts';
import type { RelayedEvent } from '../../functions/events/event.ts';
import { openIds } from '../../functions/shared/ids/ulid.ts';
import { deliveryKey } from '../../functions/webhooks/delivery.store.ts';
import { findWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { reconcileOutbox } from '../../functions/webhooks/reconcile-outbox.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  newEndpoint,
  newEvent,
  relayed,
} from './delivery-world.ts';

useStillTime();

const MINUTE_MS = 60_000;
const url = 'http://127.0.0.1:1/hook';

let world: DeliveryWorld;
let metrics: [string, number | undefined][];
beforeEach(async () => {
  metrics = [];
  const count = (name: string, value?: number) => void metrics.push([name, value]);
  world = { ...(await deliveryWorld()), metrics: { count } };
  await reconcileOutbox(world);
});

const minuteNow = () => Math.floor(world.clock.nowMs() / MINUTE_MS);
const fast = () => world.sent.filter((it) => it.queue === 'delivery-fast');
const openMinutes = async (check: 'relay' | 'recheck') =>
  (await findWatches(world.db))[check]?.open.map((it) => it.minute);

/** In which minutes of the next ones a tick sends something for the event. */
async function sendingTicks({ id }: RelayedEvent, minutes: number): Promise<number[]> {
  const ticks: number[] = [];
  for (let minute = 0; minute <= minutes; minute += 1) {
    world.sent.splice(0);
    await reconcileOutbox(world);
    if (world.sent.some((it) => it.body.event === id)) ticks.push(minute);
    world.clock.advance(MINUTE_MS);
  }
  return ticks;
}

describe('a fast lane that is behind', () => {
  it('gets each message again at longer and longer intervals, and never none', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const event = await relayed(world, tenantId);
    world.clock.advance(21 * MINUTE_MS);
    expect(await sendingTicks(event, 35)).toEqual([0, 5, 10, 15, 23, 35]);
  });

  it('gets it each minute at first, where the patience is short', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const event = await relayed(world, tenantId);
    const patience = { reconcileAfterSeconds: 2, recheckAfterSeconds: 20 };
    world = { ...world, patience };
    world.clock.advance(MINUTE_MS);
    expect(await sendingTicks(event, 6)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

describe('a damaged row', () => {
  async function damage(table: 'outbox' | 'deliveries', key: { pk: string; sk: string }) {
    await world.db.commit([{ kind: 'put', table, item: { ...key, v: 1, type: 7 } }]);
  }

  it('of the outbox stops no other event, and keeps its minute open for a day', async () => {
    const { tenantId } = await newEndpoint(world, url);
    await damage('outbox', eventKey('ten_x', world.ids.next('evt')));
    const event = await newEvent(world, tenantId);
    const minute = minuteNow();
    world.clock.advance(3 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(fast().map((it) => it.body.event)).toContain(event.id);
    expect(metrics).toContainEqual(['UnreadableRows', 1]);
    expect(world.lines).toContainEqual(
      expect.objectContaining({ event: 'outbox.unreadable', minute, rows: 1 }),
    );
    // So that nobody takes it for one whose events wait.
    const { relay } = await findWatches(world.db);
    expect(relay?.open).toMatchObject([{ minute, isDamaged: true }]);

    world.clock.advance(24 * 60 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(await openMinutes('relay')).toEqual([]);
  });

  it('of a delivery stops no other', async () => {
    const endpoint = await newEndpoint(world, url);
    const { tenantId } = endpoint;
    const event = await relayed(world, tenantId);
    const other = await relayed(world, tenantId);
    const name = { tenantId, endpointId: endpoint.id, eventId: event.id };
    await damage('deliveries', deliveryKey(name));
    const minute = minuteNow();
    world.sent.splice(0);
    world.clock.advance(21 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(fast().map((it) => it.body.event)).toEqual([other.id]);
    expect(metrics).toContainEqual(['UnreadableRows', 1]);
    expect(await openMinutes('recheck')).toEqual([minute]);
  });
});

describe('a tick', () => {
  it('publishes the age of the oldest unrelayed event once', async () => {
    const { tenantId } = await newEndpoint(world, url);
    for (let nth = 0; nth < 20; nth += 1) {
      await newEvent(world, tenantId);
      world.clock.advance(1_000);
    }
    world.clock.advance(3 * MINUTE_MS - 20_000);
    await reconcileOutbox(world);
    const ages = metrics.filter(([name]) => name === 'OldestUnrelayedMs');
    expect(ages).toEqual([['OldestUnrelayedMs', 3 * MINUTE_MS]]);
  });

  it('stops in time, and the next one goes on from there', async () => {
    const { tenantId } = await newEndpoint(world, url);
    world.clock.advance(60 * MINUTE_MS);
    const event = await newEvent(world, tenantId);
    world.clock.advance(60 * MINUTE_MS);
    const { query } = world.db;
    const slow = {
      ...world,
      db: {
        ...world.db,
        query: async (it: Parameters<typeof query>[0]) => {
          world.clock.advance(100);
          return query(it);
        },
      },
    };
    const through: number[] = [];
    for (let tick = 0; tick < 12 && fast().length === 0; tick += 1) {
      const startMs = world.clock.nowMs();
      await reconcileOutbox(slow, { stopMs: startMs + 45_000 });
      expect(world.clock.nowMs() - startMs).toBeLessThan(50_000);
      through.push((await findWatches(world.db)).relay?.through ?? 0);
    }
    expect(through).toEqual(through.toSorted((a, b) => a - b));
    expect(fast()[0]?.body.event).toBe(event.id);
  });

  it('sends again what was lost while a damaged endpoint keeps the event unmarked', async () => {
    const good = await newEndpoint(world, url);
    const { tenantId } = good;
    const damaged = await newEndpoint(world, url, { tenantId });
    const key = { pk: tenantId, sk: damaged.id };
    const update = { kind: 'update', table: 'endpoints', key, update: 'REMOVE #url' } as const;
    await world.db.commit([{ ...update, names: { '#url': 'url' } }]);
    const event = await relayed(world, tenantId);
    expect(fast().map((it) => it.body.event)).toEqual([event.id]);

    world.sent.splice(0);
    world.clock.advance(3 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(fast()).toEqual([]);
    world.clock.advance(18 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(fast()).toMatchObject([{ body: { event: event.id, endpoint: good.id } }]);
  });

  it.each([
    ['five minutes', 5 * MINUTE_MS],
    ['three hours', 3 * 60 * MINUTE_MS],
  ])('finds all that comes behind a clock that was %s ahead', async (_what, aheadMs) => {
    const { tenantId } = await newEndpoint(world, url);
    const startMs = world.clock.nowMs();
    for (let tick = 0; tick < 8; tick += 1) {
      world.clock.set(startMs + aheadMs + tick * MINUTE_MS);
      await reconcileOutbox(world);
    }
    world.clock.set(startMs + MINUTE_MS);
    await reconcileOutbox(world);
    // By another instance: the ids of one never go back.
    const ids = openIds(world.clock.nowMs);
    const event = await newEvent({ ...world, ids }, tenantId);
    world.clock.advance(3 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(fast().map((it) => it.body.event)).toEqual([event.id]);

    world.sent.splice(0);
    world.clock.advance(19 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(fast().map((it) => it.body.event)).toEqual([event.id]);
  });

  it('leaves what it has relayed already to the recheck', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const event = await newEvent(world, tenantId);
    await relayEvents([event], world);
    world.sent.splice(0);
    world.clock.advance(3 * MINUTE_MS);
    await reconcileOutbox(world);
    expect(world.sent).toEqual([]);
  });
});
