import { beforeAll, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findHealth } from '../../functions/webhooks/health.store.ts';
import { findPace, keepAhead } from '../../functions/webhooks/pace.store.ts';
import { useStillTime } from '../support/still-time.ts';
import { breakOpen } from './broken.ts';
import { care, putStatus, sweepEndpoint, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  newEndpoint,
  recordOf,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { type Behaviour, startReceiver } from './receiver.ts';

useStillTime();

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** An endpoint whose breaker is open, with so many deliveries behind it, the oldest first. */
async function broken(behaviour: Behaviour, count: number, fields: Partial<Endpoint> = {}) {
  const receiver = await startReceiver(behaviour);
  const endpoint = await newEndpoint(world, receiver.url, {
    retry: { maxAttempts: 9, scheduleSeconds: [3_600] },
    ...fields,
  });
  await breakOpen(world, endpoint);
  const events = [];
  for (let nth = 0; nth < count; nth += 1) {
    world.clock.advance(1);
    events.push(await relayed(world, endpoint.tenantId));
  }
  await drain(world);
  return { receiver, endpoint, events, ids: events.map((it) => it.id) };
}

/** Turns the clock to the next probe and lets it go out. */
async function probe(endpoint: Endpoint): Promise<void> {
  const { probeAtMs = 0 } = await findHealth(world.db, endpoint);
  world.clock.set(Math.max(world.clock.nowMs(), probeAtMs));
  const due = await sweepEndpoint(world, endpoint);
  for (const message of due.filter((it) => it.body.sk === 'HEALTH')) await care(message, world);
  await workUntil(world, world.clock.nowMs());
}

describe('a probe', () => {
  it('goes out after 30 s, and then less and less often, each time another delivery', async () => {
    const { endpoint, ids, receiver } = await broken(() => 500, 3);
    const { openedAtMs = 0 } = await findHealth(world.db, endpoint);
    const times: number[] = [];
    for (let nth = 0; nth < 4; nth += 1) {
      await probe(endpoint);
      times.push(Math.round((world.clock.nowMs() - openedAtMs) / SECOND_MS));
    }
    expect(times).toEqual([30, 90, 210, 450]);
    const got = receiver.got.map((it) => it.headers['webhook-id']);
    expect(got.slice(0, 3)).toEqual(ids);
    // The three wait for their own retries by now, so that there was none for the fourth.
    expect(got).toHaveLength(3);
  });

  it('that fails is an attempt of its delivery like any other', async () => {
    const { endpoint, events } = await broken(() => 500, 1);
    await probe(endpoint);
    const [event] = events;
    if (!event) throw new Error('no event');
    expect(await recordOf(world, endpoint, event)).toMatchObject({
      status: 'retrying',
      seq: 1,
      spent: 1,
    });
    expect(await findHealth(world.db, endpoint)).toMatchObject({ streak: 11, probes: 1 });
  });

  it('needs no sweeper, which comes once a minute', async () => {
    const { endpoint, receiver } = await broken(() => 500, 3);
    world.sent.splice(0);
    await probe(endpoint);
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(receiver.got).toHaveLength(2);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ probes: 2 });
  });

  it('that succeeds closes the breaker, and what is held follows', async () => {
    const { endpoint, events, receiver } = await broken(() => 200, 20);
    await probe(endpoint);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ streak: 0, probes: 0 });
    expect((await findHealth(world.db, endpoint)).openedAtMs).toBeUndefined();
    await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
    for (const event of events) {
      expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
    }
    expect(receiver.got).toHaveLength(20);
  });

  it('is one, however many workers hear of it', async () => {
    const { endpoint, receiver } = await broken(() => 500, 5);
    world.clock.advance(30 * SECOND_MS);
    const [message] = await sweepEndpoint(world, endpoint);
    if (!message) throw new Error('no probe is due');
    await Promise.all(Array.from({ length: 5 }, () => care(message, world)));
    await workUntil(world, world.clock.nowMs());
    expect(receiver.got).toHaveLength(1);
  });

  it('whose message is lost leaves its delivery held, and the next one goes out', async () => {
    const { endpoint, receiver } = await broken((nth) => (nth > 0 ? 200 : 500), 2);
    world.clock.advance(30 * SECOND_MS);
    for (const message of await sweepEndpoint(world, endpoint)) await care(message, world);
    world.sent.splice(0);
    world.clock.advance(MINUTE_MS);
    for (const message of await sweepEndpoint(world, endpoint)) world.sent.push(message);
    await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
    expect(receiver.got).toHaveLength(2);
  });

  it('waits for the end of a block, and takes no delivery out meanwhile', async () => {
    const busy = { status: 503, headers: { 'retry-after': '3600' } };
    const { endpoint, events, receiver } = await broken((nth) => (nth === 1 ? busy : 500), 4);
    await probe(endpoint);
    expect(receiver.got).toHaveLength(1);
    const { blockedUntilMs = 0 } = await findPace(world.db, endpoint);
    await probe(endpoint);
    expect((await findHealth(world.db, endpoint)).probeAtMs).toBe(blockedUntilMs);
    const rows = await Promise.all(events.map((it) => recordOf(world, endpoint, it)));
    expect(rows.map((it) => it.status)).toEqual(['retrying', 'held', 'held', 'held']);
    await probe(endpoint);
    expect(receiver.got).toHaveLength(2);
  });

  it('is the next delivery to arrive, where nothing was held', async () => {
    const { endpoint, receiver } = await broken(() => 200, 0);
    for (let nth = 0; nth < 12; nth += 1) await probe(endpoint);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ probes: 0, idle: true });
    const event = await relayed(world, endpoint.tenantId);
    // Also where a worker learns only then that nothing was held.
    await workUntil(world, world.clock.nowMs() + SECOND_MS);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
    expect((await findHealth(world.db, endpoint)).openedAtMs).toBeUndefined();
    expect(receiver.got).toHaveLength(1);
  });

  it('is one of those that arrive together, and the others are held', async () => {
    const { endpoint, receiver } = await broken(() => 500, 0, { perSecond: 5 });
    await probe(endpoint);
    const events = [];
    for (let nth = 0; nth < 4; nth += 1) events.push(await relayed(world, endpoint.tenantId));
    await workUntil(world, world.clock.nowMs() + 2 * SECOND_MS);
    expect(receiver.got).toHaveLength(1);
    const rows = await Promise.all(events.map((it) => recordOf(world, endpoint, it)));
    expect(rows.map((it) => it.status).sort()).toEqual(['held', 'held', 'held', 'retrying']);
    const health = await findHealth(world.db, endpoint);
    expect(health).toMatchObject({ probes: 1, idle: undefined });
    await probe(endpoint);
    expect(receiver.got).toHaveLength(2);
  });

  it('is no copy of a message that was handled before, which would use it up', async () => {
    const { endpoint, receiver } = await broken(() => 500, 0);
    await probe(endpoint);
    const event = await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    world.sent.push(message);
    await workUntil(world, world.clock.nowMs() + 2 * SECOND_MS);
    expect((await recordOf(world, endpoint, event)).status).toBe('retrying');
    await probe(endpoint);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ idle: true });

    world.endpoints.forget(endpoint.tenantId, endpoint.id);
    await handle(message, world);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ idle: true });
    expect(receiver.got).toHaveLength(1);
  });

  it('leaves a slot where another one goes ahead, as all others do', async () => {
    const { endpoint, receiver } = await broken(() => 200, 0, { perSecond: 0.5 });
    await probe(endpoint);
    await relayed(world, endpoint.tenantId);
    const pace = await findPace(world.db, endpoint);
    const nowMs = world.clock.nowMs();
    const ahead = [{ fromMs: nowMs - 10, toMs: nowMs + 4_000 }];
    await world.db.commit([keepAhead(endpoint, pace, ahead)]);
    world.endpoints.forget(endpoint.tenantId, endpoint.id);
    await workUntil(world, nowMs + 2 * SECOND_MS);
    expect(receiver.got).toHaveLength(0);
    await workUntil(world, nowMs + 20 * SECOND_MS);
    expect(receiver.got).toHaveLength(1);
  });

  it('that arrived and whose worker died before it went out is found like any other', async () => {
    const { endpoint, receiver } = await broken(() => 200, 0);
    await probe(endpoint);
    await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    const commit: DeliveryWorld['db']['commit'] = async (writes) => {
      if (writes[0]?.table === 'deliveries') throw new Error('died');
      return world.db.commit(writes);
    };
    await expect(handle(message, { ...world, db: { ...world.db, commit } })).rejects.toThrow(
      'died',
    );
    await handle(message, world);
    expect(receiver.got).toHaveLength(0);
    await workUntil(world, world.clock.nowMs() + 2 * MINUTE_MS);
    expect(receiver.got).toHaveLength(1);
  });

  it('does not go out to an endpoint that is paused, and is not due any more', async () => {
    const { endpoint, receiver } = await broken(() => 200, 2);
    await putStatus(world, endpoint, 'paused');
    await probe(endpoint);
    expect(receiver.got).toHaveLength(0);
    expect((await findHealth(world.db, endpoint)).probeAtMs).toBeUndefined();
  });
});
