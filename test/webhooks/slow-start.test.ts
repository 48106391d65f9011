import { beforeAll, describe, expect, it } from 'vitest';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import { saveDelivery } from '../../functions/webhooks/delivery.store.ts';
import { newDelivery } from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { putStatus, workUntil } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, newEvent } from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** A paused endpoint with so many held deliveries, and when each of them was received. */
async function withHeld(count: number, fields: Partial<Endpoint>) {
  const atMs: number[] = [];
  const receiver = await startReceiver(() => {
    atMs.push(world.clock.nowMs());
    return 200;
  });
  const endpoint = await newEndpoint(world, receiver.url, { status: 'paused', ...fields });
  const { tenantId, id: endpointId } = endpoint;
  for (let nth = 0; nth < count; nth += 1) {
    world.clock.advance(1);
    const nowMs = world.clock.nowMs();
    const { id: eventId, type: eventType } = await newEvent(world, tenantId);
    const fresh = newDelivery({ tenantId, endpointId, eventId, eventType }, nowMs);
    const held = { ...fresh, status: 'held', dueMs: nowMs + 1e9, token: eventId } as const;
    await world.db.commit([saveDelivery(held, undefined, nowMs)]);
  }
  return { endpoint, atMs };
}

/** How many more came within any second than a rate allows that doubles every five seconds. */
function excessOf(atMs: readonly number[], perSecond: number): number {
  const [first = 0] = atMs;
  const excesses = atMs.map((fromMs) => {
    const toMs = fromMs + SECOND_MS;
    const inASecond = atMs.filter((it) => it >= fromMs && it < toMs).length;
    return inASecond - 1 - perSecond * 2 ** ((toMs - first) / (5 * SECOND_MS));
  });
  return Math.max(...excesses);
}

describe('a slow start at an endpoint with a limit', () => {
  it('is no faster than its ramp, and gets there', async () => {
    const { endpoint, atMs } = await withHeld(100, { perSecond: 40 });
    const message = await putStatus(world, endpoint, 'active');
    if (message) world.sent.push({ ...message, queue: 'endpoint-care' });
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(atMs).toHaveLength(100);
    expect(excessOf(atMs, 4)).toBeLessThanOrEqual(0);
    expect((atMs.at(-1) ?? 0) - (atMs[0] ?? 0)).toBeLessThan(20 * SECOND_MS);
  });

  it('is no faster after a step whose search took long', async () => {
    const { endpoint, atMs } = await withHeld(40, { perSecond: 40 });
    const message = await putStatus(world, endpoint, 'active');
    if (message) world.sent.push({ ...message, queue: 'endpoint-care' });
    let isSlow = true;
    const query: DeliveryWorld['db']['query'] = async (it) => {
      if (isSlow && it.index === 'open') {
        isSlow = false;
        world.clock.advance(800);
      }
      return world.db.query(it);
    };
    const slow = { ...world, db: { ...world.db, query } };
    await workUntil(slow, world.clock.nowMs() + MINUTE_MS);
    expect(atMs).toHaveLength(40);
    expect(excessOf(atMs, 4)).toBeLessThanOrEqual(0);
  });

  it('is so from the first slot on where the pace begins anew', async () => {
    const { endpoint, atMs } = await withHeld(60, { perSecond: 40 });
    const { tenantId, id } = endpoint;
    const body = { status: 'active', rateLimit: { perSecond: 30 } };
    await webhooksApi(world)(tenantId, `PATCH /v1/endpoints/${id}`, { body });
    world.endpoints.forget(tenantId, id);
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(atMs).toHaveLength(60);
    expect(excessOf(atMs, 3)).toBeLessThanOrEqual(0);
  });

  it('begins low also where the limit was only learned', async () => {
    const { endpoint, atMs } = await withHeld(40, {});
    await blockEndpoint(world, endpoint, { status: 429, retryAfterMs: SECOND_MS });
    world.clock.advance(2 * SECOND_MS);
    const message = await putStatus(world, endpoint, 'active');
    if (message) world.sent.push({ ...message, queue: 'endpoint-care' });
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(atMs).toHaveLength(40);
    expect(excessOf(atMs, 2.5)).toBeLessThanOrEqual(0);
  });
});
