import { beforeAll, describe, expect, it } from 'vitest';
import type { OutboxEvent } from '../../functions/events/event.ts';
import { RETENTION_MS } from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, webhooksApi } from './api.ts';
import { care, sweepEndpoint, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  newEndpoint,
  newEvent,
  recordOf,
} from './delivery-world.ts';
import { type Behaviour, startReceiver } from './receiver.ts';

useStillTime();

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

/** An endpoint with a limit, and so many deliveries that have slots at it, or a block before it. */
async function backlog(count: number, fields: Partial<Endpoint>, behaviour: Behaviour = () => 200) {
  const receiver = await startReceiver(behaviour);
  const endpoint = await newEndpoint(world, receiver.url, fields);
  const { tenantId, id } = endpoint;
  const events: OutboxEvent[] = [];
  for (let nth = 0; nth < count; nth += 1) {
    world.clock.advance(1);
    events.push(await newEvent(world, tenantId));
  }
  await relayEvents(events, world);
  await workUntil(world, world.clock.nowMs());
  const patch = (body: object) => ask(tenantId, `PATCH /v1/endpoints/${id}`, { body });
  const healthOf = async () => (await ask(tenantId, `GET /v1/endpoints/${id}/health`)).body;
  const statuses = async () =>
    Promise.all(events.map(async (it) => (await recordOf(world, endpoint, it)).status));
  return { receiver, endpoint, events, patch, healthOf, statuses };
}

/** What is in the queues, and what the sweeper finds, in these minutes. */
async function sweepFor(endpoint: Endpoint, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    world.sent.push(...(await sweepEndpoint(world, endpoint)));
  }
  await workUntil(world, world.clock.nowMs());
}

/** Every slot but the first is too far away for a message. */
const SLOW = { perSecond: 0.0005 };
const BUSY = { status: 503, headers: { 'retry-after': '86400' } };

describe('what waits for a slot', () => {
  it.each([
    ['raised', { perSecond: 50 }],
    ['removed', null],
  ])('goes at the new pace when the limit is %s, each once', async (_, rateLimit) => {
    const { endpoint, events, receiver, patch, statuses } = await backlog(30, SLOW);
    world.sent.splice(0);
    expect((await patch({ rateLimit })).status).toBe(200);
    await sweepFor(endpoint, 4);
    expect(new Set(await statuses())).toEqual(new Set(['delivered']));
    expect(receiver.got).toHaveLength(events.length);
    await sweepFor(endpoint, 2);
    expect(receiver.got).toHaveLength(events.length);
  });

  it('keeps to the new limit, from five per second on never 1.35 times as many', async () => {
    const times: number[] = [];
    const { endpoint, patch, statuses } = await backlog(60, SLOW, () => {
      times.push(world.clock.nowMs());
      return 200;
    });
    await patch({ rateLimit: { perSecond: 5 } });
    await sweepFor(endpoint, 5);
    expect(new Set(await statuses())).toEqual(new Set(['delivered']));
    const inASecond = times.map((ms) => times.filter((it) => it >= ms && it < ms + 1_000).length);
    expect(Math.max(...inASecond)).toBeLessThanOrEqual(6);
  });

  it('gets new slots when the limit is lowered', async () => {
    const { endpoint, patch, events } = await backlog(3, { perSecond: 0.001 });
    world.sent.splice(0);
    const [, , last] = events;
    if (!last) throw new Error('no event');
    const { dueMs: before = 0 } = await recordOf(world, endpoint, last);
    await patch({ rateLimit: { perSecond: 0.0005 } });
    await workUntil(world, world.clock.nowMs() + 5_000);
    world.clock.advance(40 * MINUTE_MS);
    await sweepFor(endpoint, 2);
    const { status, dueMs = 0 } = await recordOf(world, endpoint, last);
    expect(status).toBe('waiting');
    expect(dueMs - before).toBeGreaterThan(10 * MINUTE_MS);
  });

  it('is found by a release behind slots that are given anew already', async () => {
    const { endpoint, events, receiver, patch, statuses } = await backlog(12, SLOW);
    await patch({ rateLimit: { perSecond: 50 } });
    await patch({ rateLimit: { perSecond: 20 }, status: 'paused' });
    await patch({ status: 'active' });
    await sweepFor(endpoint, 5);
    expect(new Set(await statuses())).toEqual(new Set(['delivered']));
    expect(receiver.got).toHaveLength(events.length);
  });

  it('is cancelled at once when its endpoint is deleted', async () => {
    const { endpoint, patch, statuses } = await backlog(4, SLOW);
    expect((await patch({ description: 'to be deleted' })).status).toBe(200);
    await ask(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    await sweepFor(endpoint, 2);
    expect(await statuses()).toEqual(['delivered', 'cancelled', 'cancelled', 'cancelled']);
  });

  it('costs so many write units', async () => {
    const { endpoint, patch } = await backlog(1, SLOW);
    const event = await newEvent(world, endpoint.tenantId);
    world.takeUnits();
    await relayEvents([event], world);
    // Slot, mark, record, and its entries on the indexes `due` and `open`.
    expect(world.takeUnits() - READS).toBe(5);
    world.sent.splice(0);
    await patch({ rateLimit: { perSecond: 50 } });
    const [message] = await sweepEndpoint(world, endpoint);
    if (message?.queue !== 'endpoint-care') throw new Error('no release is due');
    world.units.splice(0);
    await care(message, world);
    const writes = world.units.filter((it) => /^(update|put|write)/.test(it.operation));
    const consumed = writes.flatMap((it) => it.consumed);
    const ofDelivery = consumed.filter((it) => it.TableName === world.tables.deliveries);
    // The record stays on `open`, and moves on `due`.
    expect(ofDelivery.map((it) => it.CapacityUnits)).toEqual([3]);
  });
});

/** What the relay reads: the version of the set. */
const READS = 1;

describe('what waits for the end of a block', () => {
  it.each([
    ['without a limit', {}],
    ['with one', { perSecond: 20 }],
  ])('goes at once when the endpoint is made active, %s', async (_, fields) => {
    const { endpoint, events, receiver, patch, statuses } = await backlog(1, fields, (nth) =>
      nth === 1 ? BUSY : 200,
    );
    for (let nth = 0; nth < 5; nth += 1) {
      const event = await newEvent(world, endpoint.tenantId);
      await relayEvents([event], world);
      events.push(event);
    }
    world.clock.advance(10_000);
    await workUntil(world, world.clock.nowMs());
    // The first was refused by the receiver itself.
    expect(new Set(await statuses())).toEqual(new Set(['retrying', 'waiting']));
    expect(receiver.got).toHaveLength(1);
    world.sent.splice(0);
    await patch({ status: 'active' });
    await sweepFor(endpoint, 3);
    expect(new Set(await statuses())).toEqual(new Set(['delivered']));
    expect(receiver.got).toHaveLength(7);
  });

  it('does not take along what waits for its retry', async () => {
    const retry = { maxAttempts: 3, scheduleSeconds: [7_200] };
    const { endpoint, receiver, patch, statuses } = await backlog(2, { retry }, () => 500);
    await patch({ status: 'active' });
    await sweepFor(endpoint, 3);
    expect(await statuses()).toEqual(['retrying', 'retrying']);
    expect(receiver.got).toHaveLength(2);
  });
});

describe('the health of an endpoint', () => {
  it('counts what waits, also after its block was ended or its limit has changed', async () => {
    const { endpoint, patch, healthOf } = await backlog(10, SLOW);
    expect(await healthOf()).toMatchObject({ waiting: 10 });
    await patch({ rateLimit: { perSecond: 0.5 } });
    const { waiting, drainedAt } = await healthOf();
    expect(waiting).toBe(9);
    const nineMs = 9 * 2_106;
    const drainedMs = Date.parse(String(drainedAt)) - world.clock.nowMs();
    expect(drainedMs).toBeGreaterThan(nineMs - 3_000);
    expect(drainedMs).toBeLessThan(nineMs + 8_000);
    await sweepFor(endpoint, 4);
    expect(await healthOf()).toMatchObject({ waiting: 0 });
  });
});

describe('a slot that a record does not live to see', () => {
  it('is refused: it is looked at a day before its record ends, and expires', async () => {
    // A slot in 40 days.
    const rate = { perSecond: 1 / (0.95 * 40 * 86_400) };
    const { endpoint, events, receiver } = await backlog(2, rate);
    const [, event] = events;
    if (!event) throw new Error('no event');
    const record = await recordOf(world, endpoint, event);
    const lastMs = record.createdAtMs + RETENTION_MS - DAY_MS;
    expect(record).toMatchObject({ status: 'waiting', dueMs: lastMs });
    world.clock.set(lastMs);
    await sweepFor(endpoint, 2);
    expect(await recordOf(world, endpoint, event)).toMatchObject({
      status: 'expired',
      reason: 'backlog_too_long',
    });
    expect(receiver.got).toHaveLength(1);
  });

  it('takes another one on that day, when there is one by then', async () => {
    const rate = { perSecond: 1 / (0.95 * 40 * 86_400) };
    const { endpoint, events, receiver } = await backlog(2, rate);
    const [, event] = events;
    if (!event) throw new Error('no event');
    const record = await recordOf(world, endpoint, event);
    // As if the job of a raised limit had missed it.
    await world.db.commit([
      {
        kind: 'remove',
        table: 'endpoints',
        key: { pk: `${endpoint.tenantId}#${endpoint.id}`, sk: 'PACE' },
      },
    ]);
    world.endpoints.forget(endpoint.tenantId, endpoint.id);
    world.clock.set(record.dueMs ?? 0);
    await sweepFor(endpoint, 2);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'delivered' });
    expect(receiver.got).toHaveLength(2);
  });

  it('goes with a limit that is raised before', async () => {
    const rate = { perSecond: 1 / (0.95 * 40 * 86_400) };
    const { endpoint, patch, statuses } = await backlog(3, rate);
    await patch({ rateLimit: { perSecond: 10 } });
    await sweepFor(endpoint, 3);
    expect(new Set(await statuses())).toEqual(new Set(['delivered']));
  });

  it('is not reserved, so that a backlog of a month does not grow for ever', async () => {
    const rate = { perSecond: 1 / (0.95 * 40 * 86_400) };
    const { endpoint } = await backlog(2, rate);
    const before = await findPace(world.db, endpoint);
    await relayEvents([await newEvent(world, endpoint.tenantId)], world);
    expect((await findPace(world.db, endpoint)).tatUs).toBe(before.tatUs);
  });
});
