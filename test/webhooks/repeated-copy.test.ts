import { beforeAll, expect, it } from 'vitest';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  newEndpoint,
  recordOf,
  relayed,
} from './delivery-world.ts';
import { type Reply, startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

it('says of every copy behind one that may have arrived that it may be a duplicate', async () => {
  // The second request comes over the kept connection of the first, and is read before the end.
  const replies: Record<number, Reply> = { 2: 'reset', 3: 500 };
  const receiver = await startReceiver((nth) => replies[nth] ?? 200);
  const endpoint = await newEndpoint(world, receiver.url);
  await relayed(world, endpoint.tenantId);
  await drain(world);

  const event = await relayed(world, endpoint.tenantId);
  await drain(world);

  const copies = receiver.got
    .slice(1)
    .map(({ headers }) => [headers['webhook-attempt'], headers['webhook-possible-duplicate']]);
  expect(copies).toEqual([
    ['1', undefined],
    ['1', '1'],
    ['2', '1'],
  ]);
  expect((await recordOf(world, endpoint, event)).attempts).toMatchObject([
    { n: 1, outcome: 'failed', status: 500, possibleDuplicate: true },
    { n: 2, outcome: 'delivered', possibleDuplicate: true },
  ]);
});
