import { beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '../../functions/shared/problem.ts';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
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

type Commit = DeliveryWorld['db']['commit'];

/** Delivers one event; from its outcome on the table is out of order for so many writes. */
async function deliverDuring(outage: (tries: number, commit: () => ReturnType<Commit>) => unknown) {
  const receiver = await startReceiver();
  const endpoint = await newEndpoint(world, receiver.url, { onUnknown: 'stop' });
  const event = await relayed(world, endpoint.tenantId);
  let tries = 0;
  const commit: Commit = async (writes) => {
    if (receiver.got.length === 0) return world.db.commit(writes);
    tries += 1;
    await outage(tries, () => world.db.commit(writes));
    return world.db.commit(writes);
  };
  const troubled = { ...world, db: { ...world.db, commit } };
  const [message] = takeDue(world);
  if (!message) throw new Error('nothing was relayed');
  const handled = handle(message, troubled);
  return { handled, receiver, record: () => recordOf(world, endpoint, event) };
}

const refuse = () => {
  throw new Problem('unavailable', { retryAfterSeconds: 1 });
};

describe('the outcome of a send', () => {
  it('is kept through an outage of some seconds', async () => {
    const { handled, receiver, record } = await deliverDuring((tries) => {
      if (tries <= 10) refuse();
    });
    await handled;
    expect(await record()).toMatchObject({ status: 'delivered', seq: 1 });
    expect(receiver.got).toHaveLength(1);
  });

  it('is known again where only the answer to its write was lost', async () => {
    const { handled, record } = await deliverDuring(async (tries, commit) => {
      if (tries > 1) return;
      await commit();
      refuse();
    });
    await handled;
    expect(await record()).toMatchObject({ status: 'delivered', seq: 1 });
  });

  it('is given up in a longer one, and then not known', async () => {
    const { handled, record } = await deliverDuring(refuse);
    await expect(handled).rejects.toMatchObject({ code: 'unavailable' });
    expect(await record()).toMatchObject({ status: 'inflight', seq: 1 });
  });
});
