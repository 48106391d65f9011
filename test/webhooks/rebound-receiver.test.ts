import { beforeAll, expect, it } from 'vitest';
import { openGuardedSender } from '../../functions/shared/http/guarded-sender.ts';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  newEndpoint,
  recordOf,
  relayed,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

it.each([['127.0.0.1'], ['169.254.169.254'], ['64:ff9b::7f00:1']])(
  'a receiver whose name leads to %s by now gets nothing, and its record says why',
  async (address) => {
    const receiver = await startReceiver();
    const http = openGuardedSender({ egress: 'public', resolve: async () => [address] });
    const endpoint = await newEndpoint(world, 'https://public.test/hook', {
      retry: { maxAttempts: 1, scheduleSeconds: [10] },
    });
    const event = await relayed(world, endpoint.tenantId);
    await drain({ ...world, http });
    expect(await recordOf(world, endpoint, event)).toMatchObject({
      status: 'exhausted',
      attempts: [{ n: 1, outcome: 'failed', error: 'url_not_allowed' }],
    });
    expect(receiver.got).toEqual([]);
  },
);
