import { beforeAll, describe, expect, it } from 'vitest';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import { deliveryId } from '../../functions/webhooks/delivery-name.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { breakOpen } from './broken.ts';
import { sweepEndpoint, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  newEndpoint,
  recordOf,
  relayed,
} from './delivery-world.ts';
import { type Behaviour, startReceiver } from './receiver.ts';
import { leastGapMs, mostInASecond } from './sender-crowd.ts';

useStillTime();

const MINUTE_MS = 60_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** An endpoint, and a delivery that has used up its only attempt. */
async function exhausted(behaviour: Behaviour, fields: Partial<Endpoint> = {}) {
  const times: number[] = [];
  const receiver = await startReceiver((nth) => {
    times.push(world.clock.nowMs());
    return nth === 1 ? 500 : behaviour(nth);
  });
  const retry = { maxAttempts: 1, scheduleSeconds: [10] };
  const endpoint = await newEndpoint(world, receiver.url, { retry, ...fields });
  const event = await relayed(world, endpoint.tenantId);
  await drain(world);
  return { receiver, endpoint, event, times };
}

async function retry(
  endpoint: Endpoint,
  event: { readonly id: string },
  force = false,
): Promise<void> {
  const id = deliveryId({ endpointId: endpoint.id, eventId: event.id });
  const path = `POST /v1/deliveries/${id}/retry?force=${force}`;
  expect((await webhooksApi(world)(endpoint.tenantId, path)).status).toBe(202);
}

/** All others in time, and this one as late as this. */
async function workLate(eventId: string, atMs: number): Promise<void> {
  const isIt = ({ body }: { readonly body: unknown }) => JSON.stringify(body).includes(eventId);
  const mine = world.sent.filter(isIt);
  for (const it of mine) world.sent.splice(world.sent.indexOf(it), 1);
  await workUntil(world, atMs);
  for (const it of mine) await handle(it, world);
}

describe('a delivery that a person sends again', () => {
  it('passes the backlog of slots, in one that the others leave to it', async () => {
    const { receiver, endpoint, event, times } = await exhausted(() => 200, { perSecond: 0.5 });
    for (let nth = 0; nth < 20; nth += 1) await relayed(world, endpoint.tenantId);
    const startMs = world.clock.nowMs();
    await retry(endpoint, event);
    await workUntil(world, startMs + 15_000);
    const record = await recordOf(world, endpoint, event);
    expect(record.status).toBe('delivered');
    await workUntil(world, startMs + 2 * MINUTE_MS);
    expect(receiver.got).toHaveLength(22);
    expect(leastGapMs(times)).toBeGreaterThanOrEqual(0.9 * 2_000);
  });

  it('keeps a limit with as many others as there may be', async () => {
    const { receiver, endpoint, event, times } = await exhausted(() => 200, { perSecond: 5 });
    const events = [event];
    for (let nth = 0; nth < 19; nth += 1) events.push(await relayed(world, endpoint.tenantId));
    await workUntil(world, world.clock.nowMs() + 10_000);
    for (const it of events) await retry(endpoint, it, true);
    await workUntil(world, world.clock.nowMs() + 20_000);
    expect(receiver.got).toHaveLength(40);
    expect(mostInASecond(times)).toBeLessThanOrEqual(1.35 * 5);
  });

  it('waits like others when it was late for three slots that they had left to it', async () => {
    const { receiver, endpoint, event, times } = await exhausted(() => 200, { perSecond: 1 });
    for (let nth = 0; nth < 100; nth += 1) await relayed(world, endpoint.tenantId);
    await retry(endpoint, event);
    const aheadMs: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const { dueMs = 0 } = await recordOf(world, endpoint, event);
      aheadMs.push(dueMs - world.clock.nowMs());
      await workLate(event.id, dueMs + 1_000);
    }
    expect(aheadMs.map((it) => it < 10_000)).toEqual([true, true, true, false]);
    await workUntil(world, world.clock.nowMs() + 4 * MINUTE_MS);
    expect(receiver.got).toHaveLength(102);
    expect(leastGapMs(times)).toBeGreaterThanOrEqual(1_000);
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
    expect(await recordOf(world, endpoint, event)).toMatchObject({ dueMs: untilMs });
    expect(receiver.got).toHaveLength(1);
    await workUntil(world, untilMs + 1_000);
    expect(receiver.got).toHaveLength(2);
  });

  it('goes as soon as its endpoint is opened again, whatever its receiver asked for', async () => {
    const { receiver, endpoint, event } = await exhausted(() => 200, { perSecond: 10 });
    await blockEndpoint(world, endpoint, { status: 503, retryAfterMs: 60 * MINUTE_MS });
    await retry(endpoint, event);
    const { tenantId, id } = endpoint;
    const body = { status: 'active' };
    const opened = await webhooksApi(world)(tenantId, `PATCH /v1/endpoints/${id}`, { body });
    expect(opened.status).toBe(200);
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
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
