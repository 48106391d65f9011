import { beforeAll, describe, expect, it } from 'vitest';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import { deliveryId } from '../../functions/webhooks/delivery-name.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { webhooksApi } from './api.ts';
import { breakOpen } from './broken.ts';
import { sweepEndpoint, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  handleDue,
  newEndpoint,
  recordOf,
  relayed,
} from './delivery-world.ts';
import { type Behaviour, startReceiver } from './receiver.ts';

const MINUTE_MS = 60_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** An endpoint, and a delivery that has used up its only attempt. */
async function exhausted(behaviour: Behaviour, fields: Partial<Endpoint> = {}) {
  const receiver = await startReceiver((nth) => (nth === 1 ? 500 : behaviour(nth)));
  const retry = { maxAttempts: 1, scheduleSeconds: [10] };
  const endpoint = await newEndpoint(world, receiver.url, { retry, ...fields });
  const event = await relayed(world, endpoint.tenantId);
  await drain(world);
  return { receiver, endpoint, event };
}

async function retry(endpoint: Endpoint, event: { readonly id: string }): Promise<void> {
  const id = deliveryId({ endpointId: endpoint.id, eventId: event.id });
  const path = `POST /v1/deliveries/${id}/retry`;
  expect((await webhooksApi(world)(endpoint.tenantId, path)).status).toBe(202);
}

describe('a delivery that a person sends again', () => {
  it('passes the backlog of slots, also late, but takes a slot', async () => {
    const { receiver, endpoint, event } = await exhausted(() => 200, { perSecond: 0.5 });
    for (let nth = 0; nth < 10; nth += 1) await relayed(world, endpoint.tenantId);
    const { tatUs: before = 0 } = await findPace(world.db, endpoint);
    world.sent.splice(0);
    await retry(endpoint, event);
    const { tatUs: after = 0 } = await findPace(world.db, endpoint);
    expect(after - before).toBeGreaterThan(2_000_000);
    world.clock.advance(5_000);
    await handleDue(world);
    expect(receiver.got).toHaveLength(2);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
  });

  it('passes an open breaker, also when its message is lost', async () => {
    const { receiver, endpoint, event } = await exhausted(() => 200);
    await breakOpen(world, endpoint);
    await retry(endpoint, event);
    world.sent.splice(0);
    world.clock.advance(1_000);
    const due = await sweepEndpoint(world, endpoint);
    for (const message of due.filter((it) => it.queue === 'delivery-slow')) {
      await handle(message, world);
    }
    expect(receiver.got).toHaveLength(2);
    world.sent.splice(0);
  });

  it('leaves a receiver alone that asked for it, and passes the breaker after that', async () => {
    const { receiver, endpoint, event } = await exhausted(() => 200, { perSecond: 10 });
    await breakOpen(world, endpoint);
    await blockEndpoint(world, endpoint, { status: 503, retryAfterMs: MINUTE_MS });
    const untilMs = world.clock.nowMs() + MINUTE_MS;
    await retry(endpoint, event);
    await workUntil(world, untilMs - 1);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'waiting' });
    expect(receiver.got).toHaveLength(1);
    await workUntil(world, untilMs + 1_000);
    expect(receiver.got).toHaveLength(2);
  });

  it('is like any other after its attempt', async () => {
    const retry2 = { maxAttempts: 3, scheduleSeconds: [10] };
    const { receiver, endpoint, event } = await exhausted(() => 500, { retry: retry2 });
    const seen = receiver.got.length;
    await breakOpen(world, endpoint);
    await retry(endpoint, event);
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(receiver.got).toHaveLength(seen + 1);
    expect(await recordOf(world, endpoint, event)).toMatchObject({
      status: 'held',
      reason: 'breaker_open',
      spent: 1,
    });
  });
});
