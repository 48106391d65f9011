import { beforeEach, describe, expect, it } from 'vitest';
import { findEvent, markRelayed, placeOf } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import type { Db, Item, Queues } from '../../functions/shared/world.ts';
import { deliveryKey } from '../../functions/webhooks/delivery.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findWatches, setBackWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { reconcileOutbox } from '../../functions/webhooks/reconcile-outbox.ts';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  newEndpoint,
  newEvent,
  recordOf,
  relayed,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const MINUTE_MS = 60_000;
const url = 'http://127.0.0.1:1/hook';

let world: DeliveryWorld;
beforeEach(async () => {
  world = await deliveryWorld();
  await reconcileOutbox(world);
});

const minuteNow = () => Math.floor(world.clock.nowMs() / MINUTE_MS);
const openMinutes = async (check: 'relay' | 'recheck') =>
  (await findWatches(world.db))[check]?.open.map((it) => it.minute);

/** One tick of a function that is killed after 55 seconds. */
async function tick(changes: Partial<DeliveryWorld> = {}): Promise<void> {
  const startMs = world.clock.nowMs();
  await reconcileOutbox({ ...world, ...changes }, { stopMs: startMs + 45_000 });
  expect(world.clock.nowMs() - startMs).toBeLessThan(50_000);
  world.clock.set(startMs + MINUTE_MS);
}

/** All of them lie on one page. */
async function newEvents(tenantId: string, count: number): Promise<OutboxEvent[]> {
  const events: OutboxEvent[] = [];
  while (events.length < count) {
    const id = world.ids.next('evt');
    if (placeOf({ tenantId, id }).shard === 5) events.push(await newEvent(world, tenantId, { id }));
  }
  return events;
}

/** Events whose relay has noted so many endpoints. */
async function sentWidely(tenantId: string, count: number, width: number): Promise<OutboxEvent[]> {
  const ids = Array.from({ length: width }, () => world.ids.next('end'));
  const events = await newEvents(tenantId, count);
  for (const event of events) {
    await world.db.commit([markRelayed(event, ids, world.clock.nowMs())]);
  }
  return events;
}

/** Answers this row for each delivery of the tenant; each of them takes its time. */
function slowRows(tenantId: string, { row, msEach }: { row: Item; msEach: number }) {
  const getAll: Db['getAll'] = async (keys) => {
    const mine = keys.filter((it) => it.table === 'deliveries' && it.pk.startsWith(tenantId));
    if (mine.length === 0) return world.db.getAll(keys);
    expect(mine.length).toBeLessThanOrEqual(1_000);
    world.clock.advance(mine.length * msEach);
    return mine.map(({ pk, sk }) => ({ ...row, pk, sk }));
  };
  return { ...world.db, getAll };
}

/** Each message takes its time. */
function slowQueues(): Queues {
  return {
    send: async (queue, messages) => {
      world.clock.advance(messages.length * 4);
      return world.queues.send(queue, messages);
    },
  };
}

describe('a minute that leads to more than a tick can look at', () => {
  it('is rechecked in parts, and keeps nobody else waiting', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const delivered = await relayed(world, endpoint.tenantId);
    await drain(world);
    const key = deliveryKey(await recordOf(world, endpoint, delivered));
    const row = (await world.db.get('deliveries', key)) ?? {};

    const { tenantId } = await newEndpoint(world, url);
    const minute = minuteNow();
    await sentWidely(tenantId, 40, 1_000);
    world.clock.advance(2 * MINUTE_MS);
    const other = await newEndpoint(world, url);
    const lost = await relayed(world, other.tenantId);
    world.sent.splice(0);

    world.clock.advance(25 * MINUTE_MS);
    const db = slowRows(tenantId, { row, msEach: 3 });
    await tick({ db });
    expect((await findWatches(world.db)).recheck?.open).toMatchObject([
      { minute, stop: { isDone: true } },
    ]);
    await tick({ db });
    expect(world.sent.map((it) => it.body.event)).toContain(lost.id);
    for (let nth = 0; nth < 3; nth += 1) await tick({ db });
    expect(await openMinutes('recheck')).not.toContain(minute);
  });

  it('is visited again from its begin when something was left before the stop', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const minute = minuteNow();
    const events = await sentWidely(tenantId, 20, 1_000);
    world.sent.splice(0);
    world.clock.advance(25 * MINUTE_MS);
    // None of the messages is there, and a tick has time to send half of them.
    for (let nth = 0; nth < 3; nth += 1) await tick({ queues: slowQueues() });
    const seen = new Set(world.sent.map((it) => it.body.event));
    expect(seen.size).toBe(events.length);
    expect(await openMinutes('recheck')).toEqual([minute]);
  });

  it('is visited as a whole when a repair has set the reconciler back', async () => {
    const { tenantId } = await newEndpoint(world, url);
    const minute = minuteNow();
    const [first] = await sentWidely(tenantId, 20, 1_000);
    world.clock.advance(25 * MINUTE_MS);
    await tick({ queues: slowQueues() });
    const { relay, recheck } = await findWatches(world.db);
    if (!relay || !recheck) throw new Error('there was a tick');
    expect(recheck.open).toMatchObject([{ minute, stop: { isDone: false } }]);

    await world.db.commit([setBackWatches({ relay, recheck }, { through: minute - 1 })]);
    world.sent.splice(0);
    await tick({ queues: slowQueues() });
    expect(world.sent.map((it) => it.body.event)).toContain(first?.id);
  });
});

describe('what was lost of one page', () => {
  it('is sent again in bounded parts', async () => {
    const { tenantId } = await newEndpoint(world, url);
    await sentWidely(tenantId, 3, 400);
    world.clock.advance(21 * MINUTE_MS);
    const sizes: number[] = [];
    const send: Queues['send'] = async (_, messages) => {
      sizes.push(messages.length);
      return [];
    };
    await tick({ queues: { send } });
    expect(sizes.reduce((sum, it) => sum + it, 0)).toBe(1_200);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
  });
});

describe('what nobody has relayed', () => {
  it('is marked part by part, so that a tick ends in time and the next one goes on', async () => {
    const endpoint = await newEndpoint(world, url);
    const { tenantId } = endpoint;
    const set: Endpoint[] = Array.from({ length: 1_000 }, () => ({
      ...endpoint,
      id: world.ids.next('end'),
    }));
    const events = await newEvents(tenantId, 12);
    world.clock.advance(3 * MINUTE_MS);

    let sent = 0;
    const send: Queues['send'] = async (_, messages) => {
      sent += messages.length;
      world.clock.advance(messages.length * 6);
      return [];
    };
    const marked = async () => {
      const found = await Promise.all(events.map((it) => findEvent(world.db, tenantId, it.id)));
      return found.filter((it) => it?.relayedAtMs !== undefined).length;
    };
    const progress: number[] = [];
    for (let nth = 0; nth < 6; nth += 1) {
      await tick({ queues: { send }, endpointSets: async () => set });
      progress.push(await marked());
    }
    expect(progress[0]).toBeGreaterThan(0);
    expect(progress.at(-1)).toBe(12);
    expect(sent).toBe(12_000);
    expect(await openMinutes('relay')).toEqual([]);
  });
});
