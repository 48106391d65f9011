import { beforeAll, describe, expect, it } from 'vitest';
import { deliveryKey } from '../../functions/webhooks/delivery.store.ts';
import { RETENTION_MS } from '../../functions/webhooks/delivery.ts';
import { doorOf } from '../../functions/webhooks/door.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { forgetFailures } from '../../functions/webhooks/health.store.ts';
import { HEALTHY } from '../../functions/webhooks/health.ts';
import { rememberEndpoints } from '../../functions/webhooks/remember-endpoints.ts';
import { useStillTime } from '../support/still-time.ts';
import { breakOpen } from './broken.ts';
import { putStatus } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  handleDue,
  newEndpoint,
  recordOf,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const DAY_MS = 86_400_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

describe('the door of an endpoint', () => {
  const open = { ...HEALTHY, openedAtMs: 1 };
  it.each([
    { status: 'active', health: HEALTHY, door: 'open' },
    { status: 'active', health: open, door: 'breaker_open' },
    { status: 'paused', health: open, door: 'endpoint_paused' },
    { status: 'disabled', health: HEALTHY, door: 'endpoint_disabled' },
  ] as const)('$status, $health.openedAtMs: $door', ({ status, health, door }) => {
    const endpoint = { status } as Endpoint;
    expect(doorOf({ endpoint, health })).toBe(door);
  });
});

describe('behind an open breaker', () => {
  it('a delivery is held without spending an attempt', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    await breakOpen(world, endpoint);
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);
    const record = await recordOf(world, endpoint, event);
    expect(record).toMatchObject({ status: 'held', seq: 0, spent: 0, reason: 'breaker_open' });
    expect(record.dueMs).toBe(record.createdAtMs + RETENTION_MS - DAY_MS);
    expect(receiver.got).toHaveLength(0);
  });

  it('a retry keeps what it has spent', async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await handleDue(world);
    await breakOpen(world, endpoint);
    await drain(world);
    expect(await recordOf(world, endpoint, event)).toMatchObject({
      status: 'held',
      seq: 1,
      spent: 1,
    });
    expect(receiver.got).toHaveLength(1);
  });

  it('nothing is held when it has closed meanwhile', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    await breakOpen(world, endpoint);
    await world.endpoints.find(endpoint.tenantId, endpoint.id);
    await world.db.commit([forgetFailures(endpoint)]);
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
  });
});

describe('a held delivery', () => {
  it('has enough of a second copy of its first message', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook', { status: 'paused' });
    await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    await handle(message, world);
    await handle(message, world);
    expect(world.sent.filter((it) => it.queue.startsWith('delivery-'))).toEqual([]);
  });

  it('expires a day before its record ends', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook', { status: 'paused' });
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);
    const { dueMs = 0 } = await recordOf(world, endpoint, event);
    const name = { tenantId: endpoint.tenantId, endpointId: endpoint.id, eventId: event.id };
    const message = { body: { v: 1, ...deliveryKey(name), dueMs } };
    world.clock.set(dueMs - 1);
    await handle(message, world);
    expect((await recordOf(world, endpoint, event)).status).toBe('held');
    world.clock.set(dueMs);
    await handle(message, world);
    const record = await recordOf(world, endpoint, event);
    expect(record).toMatchObject({ status: 'expired', reason: 'endpoint_paused' });
    expect(record.dueMs).toBeUndefined();
  });
});

describe('paused while a worker waits for the time of a delivery', () => {
  const SECOND_MS = 1_000;

  /** Another instance pauses it, at a moment at which this one has just read it. */
  async function pauseUnseen(endpoint: Endpoint): Promise<void> {
    world.endpoints.forget(endpoint.tenantId, endpoint.id);
    await world.endpoints.find(endpoint.tenantId, endpoint.id);
    await putStatus({ ...world, endpoints: rememberEndpoints(world) }, endpoint, 'paused');
  }

  it('a retry is not sent six seconds later', async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await handleDue(world);
    const { dueMs = 0 } = await recordOf(world, endpoint, event);
    world.clock.set(dueMs - 6.8 * SECOND_MS);
    await pauseUnseen(endpoint);
    world.clock.set(dueMs - 1.9 * SECOND_MS);
    for (const message of world.sent.splice(0)) await handle(message, world);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'held', seq: 1 });
    expect(receiver.got).toHaveLength(1);
  });

  it('nothing goes out in its slot six seconds later', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 1 });
    const events = [];
    for (let nth = 0; nth < 7; nth += 1) events.push(await relayed(world, endpoint.tenantId));
    const [event] = events.slice(-1);
    const [last] = world.sent.splice(0).slice(-1);
    if (!event || last?.atMs === undefined) throw new Error('nothing was relayed for a slot');
    world.clock.set(last.atMs - 6.75 * SECOND_MS);
    await pauseUnseen(endpoint);
    world.clock.set(last.atMs - 1.95 * SECOND_MS);
    await handle(last, world);
    expect(receiver.got).toHaveLength(0);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'held', seq: 0 });
  });
});
