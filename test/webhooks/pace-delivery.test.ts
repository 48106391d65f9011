import { beforeAll, describe, expect, it } from 'vitest';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  newEndpoint,
  newEvent,
  recordOf,
  takeDue,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

const gapsOf = (times: readonly number[]) =>
  times.slice(1).map((ms, index) => ms - (times[index] ?? 0));

describe('a receiver of one request per two seconds', () => {
  it('gets all of a burst, never two closer than nine tenths of its interval', async () => {
    const times: number[] = [];
    const receiver = await startReceiver(() => {
      times.push(world.clock.nowMs());
      return 200;
    });
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.5 });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 12 }, () => newEvent(world, tenantId)));
    await relayEvents(events, world);
    await drain(world);
    expect(times).toHaveLength(12);
    expect(Math.min(...gapsOf(times))).toBeGreaterThanOrEqual(1_800);
    expect(Math.max(...gapsOf(times))).toBeLessThanOrEqual(2_300);
  });

  it('gets nothing at a missed slot: the late one takes a new slot and waits for it', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.5 });
    const { tenantId } = endpoint;
    const [first, second] = [await newEvent(world, tenantId), await newEvent(world, tenantId)];
    await relayEvents([first, second], world);
    world.clock.advance(20_000);
    for (const message of takeDue(world)) await handle(message, world);
    expect(receiver.got).toHaveLength(1);
    const waiting = await recordOf(world, endpoint, second);
    expect(waiting).toMatchObject({ status: 'waiting', seq: 0 });
    expect(waiting.dueMs).toBe(world.clock.nowMs() + 2_106);
    await drain(world);
    expect(receiver.got).toHaveLength(2);
  });

  it('gets its retries at slots of their own', async () => {
    const times: number[] = [];
    const receiver = await startReceiver((nth) => {
      times.push(world.clock.nowMs());
      return nth <= 4 ? 500 : 200;
    });
    const endpoint = await newEndpoint(world, receiver.url, {
      perSecond: 0.5,
      retry: { maxAttempts: 5, scheduleSeconds: [1] },
    });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 4 }, () => newEvent(world, tenantId)));
    await relayEvents(events, world);
    await drain(world);
    for (const event of events) {
      expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
    }
    expect(times).toHaveLength(8);
    expect(Math.min(...gapsOf(times))).toBeGreaterThanOrEqual(1_800);
  });
});
