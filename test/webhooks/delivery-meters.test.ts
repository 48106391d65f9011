import { beforeAll, beforeEach, expect, it } from 'vitest';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { workUntil } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, relayed } from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const MINUTE_MS = 60_000;

let world: DeliveryWorld;
let counted: Record<string, number>;
let lags: number[];
beforeAll(async () => {
  const made = await deliveryWorld();
  const meters: DeliveryWorld['meters'] = {
    ...made.meters,
    count(name, labels, by = 1) {
      const series = [name, ...Object.values(labels)].join(' ');
      counted[series] = (counted[series] ?? 0) + by;
    },
    observe(name, seconds) {
      if (name === 'tallyhook_delivery_lag_seconds') lags.push(seconds);
    },
  };
  world = { ...made, meters };
});
beforeEach(() => {
  counted = {};
  lags = [];
});

it('a delivery is not late before its slot', async () => {
  const receiver = await startReceiver(() => 200);
  const { tenantId } = await newEndpoint(world, receiver.url, { perSecond: 0.1 });
  for (let n = 0; n < 5; n += 1) await relayed(world, tenantId);
  await workUntil(world, world.clock.nowMs() + 2 * MINUTE_MS);
  expect(receiver.got).toHaveLength(5);
  expect(lags).toHaveLength(5);
  expect(Math.max(...lags)).toBeLessThan(1);
});

it('what is held together is counted, each of it', async () => {
  const receiver = await startReceiver(() => 200);
  const { tenantId, id } = await newEndpoint(world, receiver.url, { perSecond: 0.1 });
  for (let n = 0; n < 30; n += 1) await relayed(world, tenantId);
  const body = { status: 'paused' };
  await webhooksApi(world)(tenantId, `PATCH /v1/endpoints/${id}`, { body });
  await workUntil(world, world.clock.nowMs() + 10 * MINUTE_MS);
  expect(counted['tallyhook_deliveries_total held']).toBe(30 - receiver.got.length);
});
