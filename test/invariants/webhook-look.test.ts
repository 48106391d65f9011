import { expect, it } from 'vitest';
import { saveDelivery } from '../../functions/webhooks/delivery.store.ts';
import { type Delivery, lateDelivery } from '../../functions/webhooks/delivery.ts';
import { hold, wait } from '../../functions/webhooks/waiting.ts';
import { lookAtAll, lookAtWaiting } from '../soak/webhook-look.ts';
import { testWorld } from '../support/world.ts';

type Change = (delivery: Delivery) => Delivery;

const atNow = (nowMs: number): Change => {
  return (it) => wait(it, { atMs: nowMs, version: 0 }, nowMs);
};
const inflight: Change = (it) => ({ ...it, status: 'inflight', leaseMs: 1 });
const delivered: Change = (it) => ({ ...it, status: 'delivered' });

it('sees what waits, and in all also what is in flight or at its end', async () => {
  const { clock, db, ids } = await testWorld();
  const [tenantId, ...endpointIds] = [ids.next('ten'), ids.next('end'), ids.next('end')];
  const [first = '', second = ''] = endpointIds;
  const add = async (endpointId: string, change: Change) => {
    const name = { tenantId, endpointId, eventId: ids.next('evt') };
    const made = lateDelivery({ ...name, eventType: 'soak.ok' }, clock.nowMs());
    const delivery = { ...change(made), token: ids.next('req') };
    await db.commit([saveDelivery(delivery, undefined, clock.nowMs())]);
  };
  for (let n = 0; n < 3; n += 1) await add(first, (it) => hold(it, 'breaker_open'));
  await add(second, atNow(clock.nowMs()));
  for (let n = 0; n < 20; n += 1) await add(n % 2 ? first : second, delivered);
  await add(second, inflight);
  await add(ids.next('end'), (it) => hold(it, 'breaker_open'));

  const where = { db, tenantId, endpointIds };
  expect(await lookAtWaiting(where)).toEqual({ open: 4, held: new Set([first]) });
  expect(await lookAtAll(where)).toEqual({ rows: 25, open: 5, held: new Set([first]) });
});
