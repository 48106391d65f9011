import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openIds } from '../../functions/shared/ids/ulid.ts';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import { DELIVERY_SHARDS, deliveryPartition } from '../../functions/webhooks/delivery.store.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { insertRelease, newRelease } from '../../functions/webhooks/release.store.ts';
import { isCovered, type ReleaseKind, releasedBy } from '../../functions/webhooks/release.ts';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, webhooksApi } from './api.ts';
import { care, takeReady, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  newEndpoint,
  relayed,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const MINUTE_MS = 60_000;

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});
beforeEach(() => void world.sent.splice(0));

/** So many deliveries of an endpoint without a limit, whose receiver is well from now on. */
async function withDeliveries(count: number, status: 'held' | 'exhausted') {
  let isWell = status === 'held';
  const receiver = await startReceiver(() => (isWell ? 200 : 500));
  const endpoint = await newEndpoint(world, receiver.url, {
    status: status === 'held' ? 'paused' : 'active',
    retry: { maxAttempts: 1 },
  });
  const { tenantId } = endpoint;
  const from = new Date(world.clock.nowMs()).toISOString();
  const ids: string[] = [];
  for (let nth = 0; nth < count; nth += 1) {
    world.clock.advance(1);
    ids.push((await relayed(world, tenantId)).id);
  }
  await drain(world);
  world.clock.advance(1);
  isWell = true;
  const body = { endpointId: endpoint.id, from, to: new Date(world.clock.nowMs()).toISOString() };
  // A replay waits for what may be on its way to the relay.
  world.clock.advance(10_000);
  return { endpoint, tenantId, ids, receiver, body };
}

async function activate({ tenantId, id }: { tenantId: string; id: string }): Promise<void> {
  const answer = await ask(tenantId, `PATCH /v1/endpoints/${id}`, { body: { status: 'active' } });
  expect(answer.status).toBe(200);
}

/** How many are set on their way within the first step of each release or replay. */
async function sentInFirstSteps(): Promise<number> {
  for (const message of takeReady(world, /^endpoint-care$/)) await care(message, world);
  return world.sent.filter((it) => it.queue === 'delivery-slow').length;
}

async function releasesOf({ tenantId, id }: { tenantId: string; id: string }) {
  const sk = { prefix: 'REL#held#' };
  return (await world.db.query({ table: 'endpoints', pk: `${tenantId}#${id}`, sk })).items;
}

describe('a replay to a receiver that has refused', () => {
  it('takes its share of what that bears, and leaves each send its slot', async () => {
    const { endpoint, tenantId, body } = await withDeliveries(500, 'exhausted');
    await blockEndpoint(world, endpoint, { status: 429 });
    world.clock.advance(11_000);
    await ask(tenantId, 'POST /v1/replays', { body: { ...body, rateShare: 0.5 } });
    const endMs = world.clock.nowMs() + 20_000;
    while (world.clock.nowMs() < endMs) {
      for (const message of takeReady(world, /^endpoint-care$/)) await care(message, world);
      world.clock.advance(250);
    }
    const { tatUs = 0, learned } = await findPace(world.db, endpoint);
    expect(tatUs / 1_000).toBeLessThan(world.clock.nowMs() + 5_000);
    const sk = { prefix: 'evt_' };
    const partitions = await Promise.all(
      Array.from({ length: DELIVERY_SHARDS }, (_, shard) =>
        world.db.query({
          table: 'deliveries',
          pk: deliveryPartition(tenantId, endpoint.id, shard),
          sk,
        }),
      ),
    );
    const dues = partitions
      .flatMap(({ items }) => items.filter((it) => it.status === 'waiting'))
      .map((it) => Number(it.due))
      .sort((a, b) => a - b);
    const gaps = dues.slice(1).map((it, index) => it - (dues[index] ?? 0));
    expect(dues.length).toBeGreaterThan(50);
    const least = 1_000 / ((learned?.perSecond ?? 0) * 1.6);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(least));
  });
});

describe('of the releases of one endpoint', () => {
  it('only the newest goes on, so that a slow start stays one', async () => {
    const { endpoint, receiver, ids } = await withDeliveries(300, 'held');
    for (const _ of [1, 2, 3]) await activate(endpoint);
    expect(await releasesOf(endpoint)).toHaveLength(3);
    // Without a limit 50 per second, for five seconds.
    expect(await sentInFirstSteps()).toBe(250);
    expect(await releasesOf(endpoint)).toHaveLength(1);
    await workUntil(world, world.clock.nowMs() + 4 * MINUTE_MS);
    expect(receiver.got.map((it) => it.headers['webhook-id']).sort()).toEqual(ids);
    expect(await releasesOf(endpoint)).toHaveLength(0);
  });

  it('an older one goes on where a newer one does not look after all of it', async () => {
    const { endpoint } = await withDeliveries(1, 'held');
    await activate(endpoint);
    world.clock.advance(1);
    const later = newRelease(endpoint, 'repace', world);
    await world.db.commit([insertRelease(later, world.clock.nowMs())]);
    expect(await sentInFirstSteps()).toBe(1);
  });

  it('one that knows the newest pace goes on, though by its clock it began first', async () => {
    const receiver = await startReceiver(() => 200);
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.01 });
    const path = `PATCH /v1/endpoints/${endpoint.id}`;
    const relaySome = async (count: number) => {
      for (let n = 0; n < count; n += 1) await relayed(world, endpoint.tenantId);
    };
    await relaySome(20);
    world.clock.advance(1_000);
    await ask(endpoint.tenantId, path, { body: { rateLimit: { perSecond: 0.02 } } });
    await sentInFirstSteps();
    await relaySome(20);
    world.clock.set(world.clock.nowMs() - 20);
    const late = webhooksApi({ ...world, ids: openIds(() => world.clock.nowMs()) });
    await late(endpoint.tenantId, path, { body: { rateLimit: { perSecond: 50 } } });
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(receiver.got).toHaveLength(40);
  });

  it.each<{ older: ReleaseKind; later: ReleaseKind; is: boolean }>([
    { older: 'resume', later: 'resume', is: true },
    { older: 'drain', later: 'resume', is: true },
    { older: 'repace', later: 'resume', is: true },
    { older: 'drain', later: 'drain', is: true },
    { older: 'repace', later: 'repace', is: true },
    { older: 'close', later: 'close', is: true },
    { older: 'resume', later: 'drain', is: false },
    { older: 'resume', later: 'repace', is: false },
    { older: 'repace', later: 'drain', is: false },
    { older: 'close', later: 'resume', is: false },
    { older: 'resume', later: 'close', is: false },
  ])('$later covers $older: $is', ({ older, later, is }) => {
    const of = (kind: ReleaseKind) => ({ kind, wants: { statuses: releasedBy(kind, true) } });
    expect(isCovered(of(older), of(later))).toBe(is);
  });
});

describe('of the replays of one endpoint', () => {
  it('all together take the share of one', async () => {
    const { tenantId, body, receiver, ids } = await withDeliveries(300, 'exhausted');
    const rateShare = 0.04;
    for (const _ of [1, 2]) {
      const made = await ask(tenantId, 'POST /v1/replays', { body: { ...body, rateShare } });
      expect(made.status).toBe(202);
    }
    // Without a limit a thousand per second are all there is: 40 of these, or 20 each.
    expect(await sentInFirstSteps()).toBe(200);
    const before = receiver.got.length;
    await workUntil(world, world.clock.nowMs() + 4 * MINUTE_MS);
    const got = receiver.got.slice(before).map((it) => it.headers['webhook-id']);
    expect(got.sort()).toEqual(ids);
    const { body: list } = await ask(tenantId, `GET /v1/replays?endpointId=${body.endpointId}`);
    expect(list.data.map((it) => it.status)).toEqual(['done', 'done']);
  });
});
