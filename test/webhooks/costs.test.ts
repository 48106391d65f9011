import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deliveryId } from '../../functions/webhooks/delivery-name.ts';
import { setAside } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { costOf } from '../support/cost.ts';
import { useStillTime } from '../support/still-time.ts';
import { UNITS } from '../support/units.ts';
import { newTenant } from '../support/world.ts';
import { type Ask, webhooksApi } from './api.ts';
import { breakOpen } from './broken.ts';
import { care, putStatus, sweepEndpoint } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
  newEndpoint,
  newEvent,
  relayed,
} from './delivery-world.ts';
import { type Behaviour, type Reply, startReceiver } from './receiver.ts';

useStillTime();

// The figures of docs/cost.md: each is a row there, or the sum of some.

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});
beforeEach(() => {
  world.sent.splice(0);
});

const cost = (work: () => Promise<unknown>) => costOf(world, work);

/** What is waiting in the queues: the only message, at its time. */
async function next(): Promise<void> {
  const [message] = world.sent.splice(0);
  if (!message) throw new Error('there is no message');
  world.clock.set(Math.max(world.clock.nowMs(), message.atMs ?? 0));
  if (message.queue === 'endpoint-care') await care(message, world);
  else await handle(message, world);
}

/** An endpoint that has just taken its first webhook, and is known from that. */
async function knownEndpoint(behaviour: Behaviour, fields: Partial<Endpoint> = {}) {
  const receiver = await startReceiver((nth) => (nth === 1 ? 200 : behaviour(nth - 1)));
  const retry = { maxAttempts: 2, scheduleSeconds: [1] };
  const endpoint = await newEndpoint(world, receiver.url, { retry, ...fields });
  await relayed(world, endpoint.tenantId);
  await next();
  return { endpoint, tenantId: endpoint.tenantId };
}

/** The answers to what comes after the first webhook; the last one goes on. */
const answering =
  (...replies: readonly Reply[]): Behaviour =>
  (nth) =>
    replies[Math.min(nth, replies.length) - 1] ?? 200;

const FAILED = { status: 500, body: 'no' };

describe('what a delivery costs', () => {
  it('that succeeds at once', async () => {
    const { tenantId } = await knownEndpoint(answering(200));
    await relayed(world, tenantId);
    expect(await cost(next)).toBe(UNITS.delivery);
  });

  it('that fails, and then succeeds', async () => {
    const { tenantId } = await knownEndpoint(answering(FAILED, 200));
    await relayed(world, tenantId);
    // Claim, outcome with `due` and `open`; the sample; the health of the endpoint.
    expect(await cost(next)).toBe(UNITS.failedAttempt);
    // Delivery, event; claim off one index, outcome off the other; health.
    expect(await cost(next)).toBe(UNITS.retry);
  });

  it('that fails for the last time', async () => {
    const { tenantId } = await knownEndpoint(answering(500), {
      retry: { maxAttempts: 1, scheduleSeconds: [1] },
    });
    await relayed(world, tenantId);
    // Besides the claim and the health, the outcome and its event together.
    expect(await cost(next)).toBe('0 RRU, 6 + 2 WRU');
  });

  it('to a receiver that is too busy', async () => {
    const busy = { status: 429, headers: { 'retry-after': '5' } };
    const { tenantId } = await knownEndpoint(answering(busy, 200));
    await relayed(world, tenantId);
    expect(await cost(next)).toBe('1 RRU, 3 + 2 WRU');
  });

  it('that is held', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/', { status: 'paused' });
    await relayed(world, endpoint.tenantId);
    await next();
    await relayed(world, endpoint.tenantId);
    expect(await cost(next)).toBe('0 RRU, 4 + 2 WRU');
  });

  it('that waits for its slot', async () => {
    const { endpoint, tenantId } = await knownEndpoint(answering(200), { perSecond: 0.001 });
    const event = await newEvent(world, tenantId);
    expect(endpoint.perSecond).toBe(0.001);
    // The version of the set; mark, slot, record.
    expect(await cost(() => relayEvents([event], world))).toBe('1 RRU, 3 + 2 WRU');
  });
});

describe('what it costs to send again', () => {
  it('by hand', async () => {
    for (const [perSecond, figures] of [
      [undefined, '3 RRU, 1 + 3 WRU'],
      [50, '3 RRU, 2 + 3 WRU'],
    ] as const) {
      const { endpoint, tenantId } = await knownEndpoint(answering(500), {
        ...(perSecond && { perSecond }),
        retry: { maxAttempts: 1, scheduleSeconds: [1] },
      });
      const event = await relayed(world, tenantId);
      await next();
      const id = deliveryId({ endpointId: endpoint.id, eventId: event.id });
      const again = () => ask(tenantId, `POST /v1/deliveries/${id}/retry`);
      expect(await cost(again)).toBe(figures);
      world.sent.splice(0);
    }
  });

  it('what was held', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { status: 'paused' });
    await relayed(world, endpoint.tenantId);
    await next();
    const message = await putStatus(world, endpoint, 'active');
    if (!message) throw new Error('nothing is released');
    const step = () => care(message, world);
    // The job, the endpoint, its pace; half a unit for each shard of three statuses; the record;
    // a look for replays that wait for it, and one for later jobs of the endpoint.
    // The job before and after, on its index; the record from one index to the other.
    expect(await cost(step)).toBe('20 RRU, 3 + 8 WRU');
    expect(await cost(next)).toBe('2 RRU, 2 + 2 WRU');
  });

  it('through an open breaker', async () => {
    const { endpoint, tenantId } = await knownEndpoint(answering(200));
    await breakOpen(world, endpoint);
    await relayed(world, tenantId);
    await next();
    world.clock.advance(31_000);
    const found = await sweepEndpoint(world, endpoint);
    const probe = found.find(({ queue }) => queue === 'endpoint-care');
    if (!probe) throw new Error('no probe is due');
    // The breaker, the endpoint, half a unit for each shard, the record, the pace.
    // The next probe on its index; the record from one index to the other.
    expect(await cost(() => care(probe, world))).toBe('10 RRU, 2 + 6 WRU');
  });

  it('a replay', async () => {
    const { endpoint, tenantId } = await knownEndpoint(answering(200));
    world.clock.advance(1);
    const at = (ms: number) => new Date(world.clock.nowMs() + ms).toISOString();
    const body = { endpointId: endpoint.id, from: at(-60_000), to: at(60_000) };
    const make = (key?: string) => ask(tenantId, 'POST /v1/replays', { body, ...(key && { key }) });
    expect(await cost(() => make())).toBe('1 RRU, 1 + 1 WRU');
    expect(await cost(() => make('one'))).toBe('1 RRU, 4 + 1 WRU');
    world.sent.splice(1);
    // As a step that releases, with the shards of the list of events, and one that was delivered;
    // and a look for others that run.
    expect(await cost(next)).toBe('20 RRU, 2 + 3 WRU');
  });
});

it('what an endpoint costs', async () => {
  const tenantId = newTenant(world);
  const body = { url: 'http://127.0.0.1:4000/' };
  const make = (key?: string) => ask(tenantId, 'POST /v1/endpoints', { body, ...(key && { key }) });
  expect(await cost(() => make())).toBe('1 RRU, 4 + 0 WRU');
  expect(await cost(() => make('one'))).toBe('3 RRU, 4 + 0 WRU');
  expect(await cost(() => make('one'))).toBe('1 RRU, 0 + 0 WRU');
});

it('what it costs to set aside what a deleted endpoint leaves', async () => {
  const { tenantId, id: endpointId } = await newEndpoint(world, 'http://127.0.0.1:4000/');
  await ask(tenantId, `DELETE /v1/endpoints/${endpointId}`);
  const setItAside = () => setAside(world.db, { tenantId, endpointId });
  expect(await cost(setItAside)).toBe('1 RRU, 4 + 0 WRU');
});
