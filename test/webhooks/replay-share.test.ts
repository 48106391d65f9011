import { beforeAll, describe, expect, it } from 'vitest';
import { saveDelivery } from '../../functions/webhooks/delivery.store.ts';
import { newDelivery } from '../../functions/webhooks/delivery.ts';
import {
  careMessage,
  findRelease,
  insertRelease,
  releaseKey,
} from '../../functions/webhooks/release.store.ts';
import { planStep, type Release } from '../../functions/webhooks/release.ts';
import { useStillTime } from '../support/still-time.ts';
import { care } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint } from './delivery-world.ts';

useStillTime();

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const LIMIT = 100;
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
  const add = async (
    status: Release['status'] = 'running',
    fields: Partial<Release> = {},
  ): Promise<Release> => {
    const nowMs = world.clock.nowMs();
    const release: Release = {
      ...{ id: world.ids.next('rpl'), tenantId, endpointId, kind: 'replay', status },
      wants: { statuses: ['exhausted'], between: { fromMs: 0, toMs } },
      ...{ share: SHARE, perSecond: LIMIT, hasMoved: false, matched: 0, sent: 0, step: 0 },
      dueMs: status === 'running' ? nowMs : undefined,
      createdAtMs: nowMs,
      ...fields,
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
  return rateOf(release);
}

async function rateOf(release: Release): Promise<number | undefined> {
  return (await findRelease(world.db, releaseKey(release)))?.perSecond;
}

/** Does the next step of a replay, and answers how many rows each page of endpoints had in it. */
async function readInStep(release: Release): Promise<number[]> {
  const seen: number[] = [];
  const query: DeliveryWorld['db']['query'] = async (it) => {
    const page = await world.db.query(it);
    if (it.table === 'endpoints') seen.push(page.items.length);
    return page;
  };
  await care(careMessage(release), { ...world, db: { ...world.db, query } });
  return seen;
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
    world.clock.advance(5 * SECOND_MS);
    const found = await findRelease(world.db, releaseKey(replay));
    if (!found) throw new Error('no replay');
    expect(await readInStep(found)).toEqual([1]);
  });

  it('looks in a new one no further back than any other one had to', async () => {
    const { add } = await withExhausted();
    for (let nth = 0; nth < 120; nth += 1) await add('done');
    world.clock.advance(HOUR_MS);
    await rateAfterStep(await add());
    world.clock.advance(SECOND_MS);
    const last = await add();
    expect(await readInStep(last)).toEqual([50]);
    expect(await rateOf(last)).toBeCloseTo((SHARE * LIMIT) / 2);
  });

  it('is not in the way of others where the row of one is damaged', async () => {
    const { add } = await withExhausted();
    const key = releaseKey(await add());
    const damage = { update: 'SET #share = :text', names: { '#share': 'share' } };
    const values = { ':text': 'much' };
    await world.db.commit([{ kind: 'update', table: 'endpoints', key, ...damage, values }]);
    expect(await rateAfterStep(await add())).toBeCloseTo(SHARE * LIMIT);
  });
});

describe('the planned step of a replay', () => {
  it('begins right before its first delivery, also within a batch of events', async () => {
    const { add } = await withExhausted();
    const release = await add();
    const ids = [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'].map((it) => `evt_01K${it}`);
    for (const [index, first] of ids.entries()) {
      const { planned } = planStep(release, { count: 1, first, through: 'evt_01KZ' });
      const behind = ids.filter((it) => it > (planned?.after ?? ''));
      expect(behind).toEqual(ids.slice(index));
    }
  });

  it('never leaves less than nothing sent where it had more than it counted', async () => {
    const { add } = await withExhausted();
    const nowMs = world.clock.nowMs();
    const fields = { planned: { through: 'evt_~' }, matched: 1, sent: 1, dueMs: nowMs };
    const last = { endedAtMs: nowMs - HOUR_MS, isSettled: true } as const;
    const replay = await add('cancelled', { ...fields, ...last });
    await care(careMessage(replay), world);
    const ended = await findRelease(world.db, releaseKey(replay));
    expect(ended).toMatchObject({ status: 'cancelled', planned: undefined, sent: 0 });
  });
});
