import { beforeAll, describe, expect, it } from 'vitest';
import { findEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
  newEndpoint,
  newEvent,
  recordOf,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { type Behaviour, startReceiver } from './receiver.ts';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

async function endpointThat(behaviour: Behaviour, fields: Partial<Endpoint> = {}) {
  const receiver = await startReceiver(behaviour);
  const retry = { maxAttempts: 2, scheduleSeconds: [3_600] };
  const endpoint = await newEndpoint(world, receiver.url, { retry, timeoutMs: 400, ...fields });
  return { endpoint, got: receiver.got };
}

async function isSlow({ tenantId, id }: Endpoint): Promise<boolean> {
  return (await findEndpoint(world.db, tenantId, id))?.slow === true;
}

async function attemptOften(endpoint: Endpoint, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth += 1) {
    await relayed(world, endpoint.tenantId);
    for (const message of takeDue(world)) await handle(message, world);
  }
}

describe('an endpoint that times out', () => {
  it('takes the slow lane after five timeouts in a row, and comes back', async () => {
    const { endpoint } = await endpointThat((nth) => (nth <= 5 ? 'hang' : 200));
    await attemptOften(endpoint, 4);
    expect(await isSlow(endpoint)).toBe(false);
    await attemptOften(endpoint, 1);
    expect(await isSlow(endpoint)).toBe(true);

    await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    expect(message).toMatchObject({ queue: 'delivery-slow', group: endpoint.id });
    if (message) await handle(message, world);
    expect(await isSlow(endpoint)).toBe(false);
    await relayed(world, endpoint.tenantId);
    expect(takeDue(world)).toMatchObject([{ queue: 'delivery-fast', group: endpoint.tenantId }]);
  });

  it('stays in the fast lane while other failures come between', async () => {
    const { endpoint } = await endpointThat((nth) => (nth % 5 === 0 ? 500 : 'hang'));
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
});
