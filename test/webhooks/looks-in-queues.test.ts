import { beforeAll, beforeEach, expect, it } from 'vitest';
import type { World } from '../../functions/shared/world.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { blockPace, findPace } from '../../functions/webhooks/pace.store.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, newEvent } from './delivery-world.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
beforeEach(() => void world.sent.splice(0));

const MINUTE_MS = 60_000;

async function limited(events: number): Promise<Endpoint> {
  const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/', { perSecond: 0.1 });
  await relay(endpoint, events);
  return endpoint;
}

async function relay({ tenantId }: Endpoint, count: number): Promise<void> {
  const events = [];
  for (let nth = 0; nth < count; nth += 1) events.push(await newEvent(world, tenantId));
  await relayEvents(events, world);
}

/** The statuses that the release of a change looks at; undefined where there is none. */
async function looksAfter({ tenantId, id }: Endpoint, body: object, doors = world) {
  const of = { table: 'endpoints', pk: `${tenantId}#${id}`, sk: { prefix: 'REL#held#' } } as const;
  const before = await world.db.query(of);
  const { status } = await webhooksApi(doors)(tenantId, `PATCH /v1/endpoints/${id}`, { body });
  expect(status).toBe(200);
  const { items } = await world.db.query(of);
  return items[before.items.length]?.statuses;
}

const FASTER = { rateLimit: { perSecond: 20 } };
const PAUSED = { status: 'paused' };
const ACTIVE = { status: 'active' };
const HELD = ['held', 'waiting', 'retrying'];

it('looks in no queue where no slot is far away', async () => {
  for (const events of [0, 1]) {
    const endpoint = await limited(events);
    world.clock.advance(10_000);
    expect(await looksAfter(endpoint, FASTER)).toEqual(['waiting']);
  }
  expect(await looksAfter(await limited(0), PAUSED)).toBeUndefined();
});

it('looks there where slots are', async () => {
  expect(await looksAfter(await limited(3), FASTER)).toEqual(['waiting', 'pending']);
  expect(await looksAfter(await limited(3), PAUSED)).toEqual(['pending']);
});

it('looks there after each change, until no slot of an earlier limit can be left', async () => {
  const endpoint = await limited(3);
  for (const wait of [0, 29 * MINUTE_MS]) {
    await looksAfter(endpoint, FASTER);
    world.clock.advance(wait);
    expect(await looksAfter(endpoint, PAUSED)).toEqual(['pending']);
    world.clock.advance(wait);
    expect(await looksAfter(endpoint, ACTIVE)).toEqual([...HELD, 'pending']);
  }
  world.clock.advance(31 * MINUTE_MS);
  expect(await looksAfter(endpoint, PAUSED)).toBeUndefined();
});

it('looks there to send again at the same limit only what a block has put off', async () => {
  const endpoint = await limited(3);
  expect(await looksAfter(endpoint, ACTIVE)).toEqual(HELD);
  const seen = await findPace(world.db, endpoint);
  const block = { blockedUntilMs: world.clock.nowMs() + MINUTE_MS, refusals: 1 };
  await world.db.commit([blockPace(endpoint, { seen, block })]);
  expect(await looksAfter(endpoint, ACTIVE)).toEqual([...HELD, 'pending']);
});

it('hears of slots that are taken while it is being decided', async () => {
  const endpoint = await limited(0);
  let isFirst = true;
  const commit: World['db']['commit'] = async (writes) => {
    if (isFirst) await relay(endpoint, 3);
    isFirst = false;
    return world.db.commit(writes);
  };
  const doors = { ...world, db: { ...world.db, commit } };
  expect(await looksAfter(endpoint, FASTER, doors)).toEqual(['waiting', 'pending']);
});
