import { beforeAll, describe, expect, it } from 'vitest';
import { findEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { rememberBursts } from '../../functions/webhooks/remember-bursts.ts';
import { useStillTime } from '../support/still-time.ts';
import { until } from '../support/until.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
  handleDue,
  newEndpoint,
  newEvent,
  recordOf,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { type Behaviour, hangFor, startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

const TIMEOUT_MS = 400;

async function endpointThat(behaviour: Behaviour, fields: Partial<Endpoint> = {}) {
  const receiver = await startReceiver(behaviour);
  const retry = { maxAttempts: 2, scheduleSeconds: [3_600] };
  const endpoint = await newEndpoint(world, receiver.url, {
    retry,
    timeoutMs: TIMEOUT_MS,
    ...fields,
  });
  return { endpoint, got: receiver.got, cut: receiver.cut };
}

async function isSlow({ tenantId, id }: Endpoint): Promise<boolean> {
  return (await findEndpoint(world.db, tenantId, id))?.slow === true;
}

async function attemptOften(endpoint: Endpoint, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth += 1) {
    await relayed(world, endpoint.tenantId);
    await handleDue(world);
  }
}

describe('an endpoint that times out', () => {
  it('takes the slow lane after five timeouts in a row, and comes back', async () => {
    const { endpoint } = await endpointThat((nth) => (nth <= 5 ? hangFor(TIMEOUT_MS) : 200));
    await attemptOften(endpoint, 4);
    expect(await isSlow(endpoint)).toBe(false);
    await attemptOften(endpoint, 1);
    expect(await isSlow(endpoint)).toBe(true);

    await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    expect(message).toMatchObject({ queue: 'delivery-slow', group: endpoint.id });
    world.clock.advance(10_000);
    if (message) await handle(message, world);
    expect(await isSlow(endpoint)).toBe(false);
    await relayed(world, endpoint.tenantId);
    expect(takeDue(world)).toMatchObject([{ queue: 'delivery-fast', group: endpoint.tenantId }]);
  });

  it('stays in the fast lane while other failures come between', async () => {
    const { endpoint } = await endpointThat((nth) => (nth % 5 === 0 ? 500 : hangFor(TIMEOUT_MS)));
    await attemptOften(endpoint, 9);
    expect(await isSlow(endpoint)).toBe(false);
  });

  it('makes room in the fast lane: what is there already changes over, once', async () => {
    const { endpoint, got } = await endpointThat(() => 200, { slow: true });
    const event = await newEvent(world, endpoint.tenantId);
    await relayEvents([event], {
      ...world,
      // A relay that has not heard of it.
      endpointSets: async () => [{ ...endpoint, slow: undefined }],
    });
    const [first] = takeDue(world);
    expect(first).toMatchObject({ queue: 'delivery-fast', group: endpoint.tenantId });
    if (first) await handle(first, world);
    expect(got).toHaveLength(0);
    const [second] = takeDue(world);
    expect(second).toMatchObject({ queue: 'delivery-slow', group: endpoint.id });
    if (second) await handle(second, world);
    expect(got).toHaveLength(1);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'delivered', seq: 1 });
  });

  it('keeps its slots where it has a limit', async () => {
    const { endpoint } = await endpointThat(() => 200, { slow: true, perSecond: 1 });
    await relayed(world, endpoint.tenantId);
    await relayed(world, endpoint.tenantId);
    const slotMs = world.clock.nowMs() + 1_053;
    const messages = world.sent.splice(0);
    expect(messages.map((it) => [it.queue, it.atMs])).toEqual([
      ['delivery-slow', world.clock.nowMs()],
      ['delivery-slow', slotMs],
    ]);
  });

  it('waits in the slow lane for slots that are minutes away', async () => {
    const { endpoint } = await endpointThat(() => 200, { perSecond: 0.01 });
    const { tenantId, id } = endpoint;
    const events = await Promise.all(Array.from({ length: 4 }, () => newEvent(world, tenantId)));
    await relayEvents(events, world);
    const messages = world.sent.splice(0);
    // One slot each 105 seconds.
    expect(messages.map((it) => [it.queue, it.group, it.body.lane])).toEqual([
      ['delivery-fast', tenantId, 'fast'],
      ['delivery-fast', tenantId, 'fast'],
      ['delivery-slow', id, undefined],
      ['delivery-slow', id, undefined],
    ]);
  });
});

describe('a burst', () => {
  const lanesOf = (messages: readonly { queue: string }[]) =>
    Object.fromEntries(
      Map.groupBy(messages, (it) => it.queue)
        .entries()
        .map(([queue, them]) => [queue, them.length]),
    );
  async function relayBurst(tenantId: string, count: number) {
    const events = await Promise.all(
      Array.from({ length: count }, () => newEvent(world, tenantId)),
    );
    await relayEvents(events, world);
  }
  async function burst(tenantId: string, count: number) {
    await relayBurst(tenantId, count);
    return takeDue(world);
  }

  it('has one batch in the fast lane, and the rest where endpoints take turns', async () => {
    const { endpoint } = await endpointThat(() => 200);
    const messages = await burst(endpoint.tenantId, 25);
    expect(lanesOf(messages)).toEqual({ 'delivery-fast': 10, 'delivery-slow': 15 });
    const slow = messages.filter((it) => it.queue === 'delivery-slow');
    expect(slow.every((it) => it.group === endpoint.id && it.body.lane === undefined)).toBe(true);
    expect(lanesOf(await burst(endpoint.tenantId, 5))).toEqual({ 'delivery-slow': 5 });
    const beside = await endpointThat(() => 200);
    expect(lanesOf(await burst(beside.endpoint.tenantId, 5))).toEqual({ 'delivery-fast': 5 });
  });

  it('takes the fast lane where a limit keeps it from all workers', async () => {
    const { endpoint } = await endpointThat(() => 200, { perSecond: 50 });
    await relayBurst(endpoint.tenantId, 25);
    expect(lanesOf(world.sent.splice(0))).toEqual({ 'delivery-fast': 25 });
    const fast = await endpointThat(() => 200, { perSecond: 5_000 });
    await relayBurst(fast.endpoint.tenantId, 25);
    expect(lanesOf(world.sent.splice(0))).toEqual({ 'delivery-fast': 10, 'delivery-slow': 15 });
  });

  it('has no more in the fast lane for many limits that are low each', async () => {
    const { endpoint } = await endpointThat(() => 200, { perSecond: 50 });
    const { tenantId } = endpoint;
    const more = Array.from({ length: 11 }, () =>
      newEndpoint(world, endpoint.url, { tenantId, perSecond: 50 }),
    );
    await Promise.all(more);
    await relayBurst(tenantId, 5);
    // Two of the twelve are 100/s together; of the 50 messages of the others ten are its share.
    expect(lanesOf(world.sent.splice(0))).toEqual({ 'delivery-fast': 20, 'delivery-slow': 40 });
  });

  it('gets all of its receivers to know, whichever of them does not answer', async () => {
    const { endpoint } = await endpointThat(() => 200);
    const { tenantId } = endpoint;
    const others = await Promise.all([1, 2, 3].map(() => endpointThat(() => 200, { tenantId })));
    const messages = await burst(tenantId, 10);
    const fast = messages.filter((it) => it.queue === 'delivery-fast');
    const all = [endpoint, ...others.map((it) => it.endpoint)].map((it) => it.id);
    expect(new Set(fast.map((it) => it.body.endpoint))).toEqual(new Set(all));
  });

  it('has twice as much every two seconds, and begins anew after a pause', async () => {
    const { endpoint } = await endpointThat(() => 200);
    const fast: unknown[] = [];
    for (const pauseMs of [2_000, 2_000, 4_000, 0]) {
      fast.push(lanesOf(await burst(endpoint.tenantId, 50))['delivery-fast']);
      world.clock.advance(pauseMs);
    }
    expect(fast).toEqual([10, 20, 40, 10]);
  });

  it('is none that has only gathered before a relay that was behind', async () => {
    const { endpoint } = await endpointThat(() => 200);
    const events = [];
    for (let nth = 0; nth < 40; nth += 1) {
      events.push(await newEvent(world, endpoint.tenantId));
      world.clock.advance(200);
    }
    world.clock.advance(5_000);
    await relayEvents(events, world);
    expect(lanesOf(takeDue(world))).toEqual({ 'delivery-fast': 40 });
  });

  it('is none that comes from a shard of the stream that is behind another one', () => {
    const isFast = rememberBursts();
    const nowMs = world.clock.nowMs();
    const fastOf = (atMs: number, count: number) =>
      Array.from({ length: count }, () => isFast('ten_a', { atMs, isTroubled: false })).filter(
        (it) => it,
      ).length;
    let fast = 0;
    for (let secondMs = 0; secondMs < 500_000; secondMs += 1_000) {
      const isAhead = secondMs < 100_000;
      fast += (isAhead ? fastOf(nowMs + secondMs, 2) : 0) + fastOf(nowMs - 600_000 + secondMs, 2);
    }
    expect(fast).toBe(1_200);
    // Commits that only change places are in one window.
    expect(fastOf(nowMs + 1_000_000, 8) + fastOf(nowMs + 999_000, 8)).toBe(10);
    // Late ones that are a burst by themselves are one.
    expect(fastOf(nowMs - 900_000, 25)).toBe(10);
  });

  it('does not get more while one of the receivers is slow', async () => {
    const { endpoint } = await endpointThat(() => 200);
    const { tenantId } = endpoint;
    await endpointThat(() => 200, { tenantId, slow: true, eventTypes: ['other'] });
    await burst(tenantId, 20);
    world.clock.advance(2_000);
    expect(lanesOf(await burst(tenantId, 20))).toEqual({
      'delivery-fast': 10,
      'delivery-slow': 10,
    });
  });
});

describe('an endpoint that keeps a worker waiting for a second', () => {
  it('takes the slow lane before its time is up, and comes back once it is quick', async () => {
    const { endpoint, cut } = await endpointThat((nth) => (nth === 1 ? hangFor(1_000) : 200), {
      timeoutMs: 10_000,
    });
    await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    if (!message) throw new Error('nothing was relayed');
    const attempt = handle(message, world);
    await until(
      () => isSlow(endpoint),
      (it) => it,
    );
    cut();
    await attempt;

    await attemptOften(endpoint, 1);
    expect(await isSlow(endpoint)).toBe(true);
    world.clock.advance(10_000);
    await attemptOften(endpoint, 1);
    expect(await isSlow(endpoint)).toBe(false);
  });
});
