import { beforeAll, describe, expect, it } from 'vitest';
import { saveDelivery } from '../../functions/webhooks/delivery.store.ts';
import { newDelivery } from '../../functions/webhooks/delivery.ts';
import {
  careMessage,
  findRelease,
  insertRelease,
  releaseKey,
} from '../../functions/webhooks/release.store.ts';
import type { Release } from '../../functions/webhooks/release.ts';
import { care } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint } from './delivery-world.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const LIMIT = 520;
const SHARE = 0.1;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** An endpoint with some deliveries that replays want. */
async function withExhausted() {
  const url = 'http://127.0.0.1:1/hook';
  const { tenantId, id: endpointId } = await newEndpoint(world, url, { perSecond: LIMIT });
  for (let nth = 0; nth < 60; nth += 1) {
    const nowMs = world.clock.nowMs();
    const name = { tenantId, endpointId, eventId: world.ids.next('evt'), eventType: 'order.paid' };
    const row = { ...newDelivery(name, nowMs), status: 'exhausted', token: 'one' } as const;
    await world.db.commit([saveDelivery(row, undefined, nowMs)]);
    world.clock.advance(1);
  }
  const toMs = world.clock.nowMs();
  world.clock.advance(SECOND_MS);
  const add = async (status: Release['status'] = 'running'): Promise<Release> => {
    const nowMs = world.clock.nowMs();
    const release: Release = {
      ...{ id: world.ids.next('rpl'), tenantId, endpointId, kind: 'replay', status },
      wants: { statuses: ['exhausted'], between: { fromMs: 0, toMs } },
      ...{ share: SHARE, perSecond: LIMIT, hasMoved: false, matched: 0, sent: 0, step: 0 },
      dueMs: status === 'running' ? nowMs : undefined,
      createdAtMs: nowMs,
    };
    await world.db.commit([insertRelease(release, nowMs)]);
    world.clock.advance(1);
    return release;
  };
  return { add };
}

/** Does the next step of a replay, and answers how many it sends per second by now. */
async function rateAfterStep(release: Release): Promise<number | undefined> {
  await care(careMessage(release), world);
  return (await findRelease(world.db, releaseKey(release)))?.perSecond;
}

describe('the share of replays of one endpoint', () => {
  it('holds for more than a hundred together', async () => {
    const { add } = await withExhausted();
    const replays: Release[] = [];
    for (let nth = 0; nth < 130; nth += 1) replays.push(await add());
    for (const it of [replays[0], replays[129]]) {
      if (it) expect(await rateAfterStep(it)).toBeCloseTo((SHARE * LIMIT) / 130);
    }
  });

  it('counts those that run behind a hundred that are over', async () => {
    const { add } = await withExhausted();
    const first = await add();
    for (let nth = 0; nth < 100; nth += 1) await add('done');
    const last = await add();
    for (const it of [first, last]) {
      expect(await rateAfterStep(it)).toBeCloseTo((SHARE * LIMIT) / 2);
    }
  });

  it('looks at none again that were over before the oldest that runs', async () => {
    const { add } = await withExhausted();
    for (let nth = 0; nth < 20; nth += 1) await add('done');
    world.clock.advance(HOUR_MS);
    const replay = await add();
    await rateAfterStep(replay);
    const seen: number[] = [];
    const query: DeliveryWorld['db']['query'] = async (it) => {
      const page = await world.db.query(it);
      if (it.table === 'endpoints') seen.push(page.items.length);
      return page;
    };
    world.clock.advance(SECOND_MS);
    const found = await findRelease(world.db, releaseKey(replay));
    if (!found) throw new Error('no replay');
    await care(careMessage(found), { ...world, db: { ...world.db, query } });
    expect(seen).toEqual([1]);
  });
});
