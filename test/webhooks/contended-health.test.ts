import { beforeAll, describe, expect, it } from 'vitest';
import type { Write } from '../../functions/shared/world.ts';
import { findHealth } from '../../functions/webhooks/health.store.ts';
import { conflictingDb } from '../support/conflicting-db.ts';
import { useStillTime } from '../support/still-time.ts';
import { breakOpen } from './broken.ts';
import { care, sweepEndpoint } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
  handleDue,
  newEndpoint,
  recordOf,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** Each change of a health meets others so many times, which only look at it. */
function contended(times: number): DeliveryWorld {
  const isChange = (it: Write) => it.kind === 'update' && it.key.sk === 'HEALTH';
  return { ...world, db: conflictingDb(world.db, times, isChange) };
}

describe('the health of an endpoint whose deliveries are being held', () => {
  it('is probed and closed although they look at it all the time', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await breakOpen(world, endpoint);
    await handleDue(world);
    expect((await recordOf(world, endpoint, event)).status).toBe('held');

    world.clock.advance(31_000);
    const [probe] = await sweepEndpoint(world, endpoint);
    if (!probe) throw new Error('no probe is due');
    await care(probe, contended(3));
    const [message] = takeDue(world);
    if (!message) throw new Error('the probe was not sent');
    await handle(message, contended(3));
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
    expect((await findHealth(world.db, endpoint)).openedAtMs).toBeUndefined();
  });
});
