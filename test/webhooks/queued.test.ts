import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { World, Write } from '../../functions/shared/world.ts';
import { findDeliveries } from '../../functions/webhooks/delivery.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { spanUs } from '../../functions/webhooks/pace.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, webhooksApi } from './api.ts';
import { sweepEndpoint, workUntil } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, newEvent } from './delivery-world.ts';
import { startReceiver } from './receiver.ts';
import { mostInASecond } from './sender-crowd.ts';

useStillTime();

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

let world: DeliveryWorld;
let ask: Ask;
/** How long all slots are together that were taken since the test began, in microseconds. */
let takenUs = 0;
beforeAll(async () => {
  const made = await deliveryWorld();
  const commit: World['db']['commit'] = async (writes) => {
    const result = await made.db.commit(writes);
    if (result.ok) takenUs += writes.reduce((sum, it) => sum + reservedUs(it), 0);
    return result;
  };
  world = { ...made, db: { ...made.db, commit } };
  ask = webhooksApi(world);
});
beforeEach(() => {
  world.sent.splice(0);
  takenUs = 0;
});

function reservedUs(write: Write): number {
  if (write.kind !== 'update' || !write.update.includes('tat')) return 0;
  const { ':span': span, ':end': end, ':from': from } = write.values ?? {};
  return Number(span ?? Number(end ?? 0) - Number(from ?? 0));
}

/** So many deliveries in a queue, each with a slot and none with a record. */
async function queued(count: number, perSecond: number) {
  const sentMs: number[] = [];
  const receiver = await startReceiver(() => {
    sentMs.push(world.clock.nowMs());
    return 200;
  });
  const endpoint = await newEndpoint(world, receiver.url, { perSecond });
  const ids = await relay(endpoint, count);
  expect(await statusesOf(endpoint, ids)).toEqual({ pending: count });
  const { tenantId, id } = endpoint;
  const patch = async (body: object) => {
    const { status } = await ask(tenantId, `PATCH /v1/endpoints/${id}`, { body });
    expect(status).toBe(200);
  };
  const healthOf = async () => (await ask(tenantId, `GET /v1/endpoints/${id}/health`)).body;
  return { receiver, endpoint, ids, patch, healthOf, sentMs };
}

async function relay({ tenantId }: Endpoint, count: number): Promise<string[]> {
  const events = [];
  for (let nth = 0; nth < count; nth += 1) events.push(await newEvent(world, tenantId));
  await relayEvents(events, world);
  return events.map((it) => it.id);
}

/** How many stand how. */
async function statusesOf({ tenantId, id: endpointId }: Endpoint, ids: readonly string[]) {
  const names = ids.map((eventId) => ({ tenantId, endpointId, eventId }));
  const rows = await findDeliveries(world.db, names);
  const groups = Object.groupBy(rows, (it) => it?.status ?? 'pending');
  return Object.fromEntries(Object.entries(groups).map(([status, them]) => [status, them.length]));
}

/** With what the sweeper finds each minute. */
async function pass(endpoint: Endpoint, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    world.sent.push(...(await sweepEndpoint(world, endpoint)));
  }
  await workUntil(world, world.clock.nowMs());
}

const eventsGot = (receiver: { readonly got: readonly { headers: object }[] }) =>
  receiver.got.map((it) => (it.headers as Record<string, string>)['webhook-id']);

describe('what is in a queue and has no record', () => {
  it.each([{ perSecond: 20 }, null])('goes soon at a higher limit: %j', async (rateLimit) => {
    const { receiver, endpoint, ids, patch } = await queued(60, 0.1);
    await patch({ rateLimit });
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(await statusesOf(endpoint, ids)).toEqual({ delivered: 60 });
    await pass(endpoint, 11);
    expect(eventsGot(receiver).sort()).toEqual(ids.toSorted());
  });

  it('has slots of a lower limit at once, and is counted', async () => {
    const { receiver, endpoint, ids, patch, healthOf, sentMs } = await queued(40, 10);
    await patch({ rateLimit: { perSecond: 0.5 } });
    await pass(endpoint, 1);
    expect(Number((await healthOf()).waiting)).toBeGreaterThanOrEqual(10);
    await pass(endpoint, 4);
    expect(await statusesOf(endpoint, ids)).toEqual({ delivered: 40 });
    expect(eventsGot(receiver).sort()).toEqual(ids.toSorted());
    expect(mostInASecond(sentMs.slice(1))).toBe(1);
  });

  it.each(['paused', 'disabled'] as const)('is held when it is %s, and comes back', async (it) => {
    const { receiver, endpoint, ids, patch, healthOf } = await queued(20, 0.1);
    await patch({ status: it });
    await workUntil(world, world.clock.nowMs() + SECOND_MS);
    expect(await statusesOf(endpoint, ids)).toEqual({ held: 20 });
    expect(await healthOf()).toMatchObject({ held: 20, waiting: 0 });
    await pass(endpoint, 5);
    expect(receiver.got).toEqual([]);
    await patch({ status: 'active', rateLimit: { perSecond: 5 } });
    await pass(endpoint, 5);
    expect(eventsGot(receiver).sort()).toEqual(ids.toSorted());
  });

  it('takes no other slot when its message comes, but the one that it was given', async () => {
    const { endpoint, ids, patch } = await queued(60, 5);
    await patch({ status: 'paused' });
    await workUntil(world, world.clock.nowMs() + SECOND_MS);
    takenUs = 0;
    await patch({ status: 'active' });
    await pass(endpoint, 2);
    expect(await statusesOf(endpoint, ids)).toEqual({ delivered: 60 });
    expect(Math.round(takenUs / spanUs(1, 5))).toBe(60);
  });

  it('is held when the receiver is gone', async () => {
    const receiver = await startReceiver(() => 410);
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.1 });
    const ids = await relay(endpoint, 10);
    await workUntil(world, world.clock.nowMs());
    world.sent.push(...(await sweepEndpoint(world, endpoint)));
    await workUntil(world, world.clock.nowMs());
    expect(await statusesOf(endpoint, ids)).toEqual({ held: 9, retrying: 1 });
    const { tenantId, id } = endpoint;
    const { body } = await ask(tenantId, `GET /v1/endpoints/${id}/health`);
    expect([body.held, body.waiting, body.drainedAt]).toEqual([9, 0, undefined]);
    // Nothing of it keeps a slot from whoever wants to know whether the receiver is back, when it
    // was not asked just now.
    world.clock.advance(15 * SECOND_MS);
    const test = await ask(tenantId, `POST /v1/endpoints/${id}/test`);
    expect([test.status, test.body.status]).toEqual([200, 410]);
    world.sent.splice(0);
  });

  it('is cancelled with its endpoint', async () => {
    const { receiver, endpoint, ids } = await queued(20, 0.1);
    await ask(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    await workUntil(world, world.clock.nowMs() + SECOND_MS);
    expect(await statusesOf(endpoint, ids)).toEqual({ cancelled: 20 });
    await pass(endpoint, 5);
    expect(receiver.got).toEqual([]);
  });

  it('is left alone when it was relayed after the change', async () => {
    const { endpoint, patch, ids } = await queued(2, 0.1);
    await patch({ rateLimit: { perSecond: 0.2 } });
    world.clock.advance(11 * SECOND_MS);
    const later = await relay(endpoint, 10);
    for (const message of await sweepEndpoint(world, endpoint)) world.sent.push(message);
    await workUntil(world, world.clock.nowMs());
    // The first of them has its slot at once.
    expect(await statusesOf(endpoint, later)).toEqual({ delivered: 1, pending: 9 });
    expect((await statusesOf(endpoint, ids)).pending).toBeUndefined();
    await pass(endpoint, 3);
    expect(await statusesOf(endpoint, [...ids, ...later])).toEqual({ delivered: 12 });
  });
});
