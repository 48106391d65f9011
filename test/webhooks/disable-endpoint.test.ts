import { beforeAll, describe, expect, it } from 'vitest';
import { findEvents } from '../../functions/events/event.store.ts';
import { listEventIds } from '../../functions/events/event-list.store.ts';
import { webhookEventTypes } from '../../functions/webhooks/contract.ts';
import { findEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import { type Endpoint, wants } from '../../functions/webhooks/endpoint.ts';
import { countFailure, findHealth, openBreaker } from '../../functions/webhooks/health.store.ts';
import { troubleOf } from '../../functions/webhooks/health.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { care, sweepEndpoint, workUntil } from './care.ts';
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

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RETRY = { maxAttempts: 30, scheduleSeconds: [1_800] };
const AT_LEAST_TEN = expect.toSatisfy((it: number) => it >= 10);

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** What the tenant is told, as `{ type, data }`, the oldest first. */
async function toldOf({ tenantId }: Endpoint) {
  const filter = { tenantId, type: 'endpoint.*' };
  const { ids } = await listEventIds(world.db, filter, { limit: 20 });
  const events = await findEvents(world.db, tenantId, ids);
  return events.reverse().map(({ type, data }) => {
    const parsed = webhookEventTypes[type]?.data.parse(JSON.parse(data));
    return { type, data: parsed };
  });
}

describe('a receiver that wants no more', () => {
  it.each([
    { how: 'by a 410', reply: 410 as const, status: 'retrying' },
    {
      how: 'by a header of its success',
      reply: { status: 200, headers: { 'webhook-delivery': 'disable' } },
      status: 'delivered',
    },
  ])('is disabled $how, and the tenant is told', async ({ reply, status }) => {
    const receiver = await startReceiver(() => reply);
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs());
    expect((await recordOf(world, endpoint, event)).status).toBe(status);
    expect(await findEndpoint(world.db, endpoint.tenantId, endpoint.id)).toMatchObject({
      status: 'disabled',
      disabledReason: 'gone',
    });
    expect(await toldOf(endpoint)).toEqual([
      { type: 'endpoint.disabled', data: { endpointId: endpoint.id, reason: 'gone' } },
    ]);
    await workUntil(world, world.clock.nowMs() + 60_000);
    expect(receiver.got).toHaveLength(1);
    const after = await recordOf(world, endpoint, event);
    expect([after.status, after.reason]).toEqual(
      status === 'delivered' ? ['delivered', undefined] : ['held', 'endpoint_disabled'],
    );
  });

  it.each([
    { what: 'has moved', change: (url: string) => ({ url }), status: 'active' },
    { what: 'was just opened', change: () => ({ status: 'active' }), status: 'active' },
    { what: 'was just paused', change: () => ({ status: 'paused' }), status: 'paused' },
  ])('does not speak for one that $what since', async ({ change, status }) => {
    const [old, next] = [await startReceiver(() => 410), await startReceiver()];
    const endpoint = await newEndpoint(world, old.url);
    const { tenantId, id } = endpoint;
    const event = await relayed(world, tenantId);
    const ask = webhooksApi(world);
    const post: DeliveryWorld['http']['post'] = async (request) => {
      const result = await world.http.post(request);
      world.clock.advance(1);
      await ask(tenantId, `PATCH /v1/endpoints/${id}`, { body: change(next.url) });
      return result;
    };
    for (const it of takeDue(world)) await handle(it, { ...world, http: { ...world.http, post } });
    expect(old.got).toHaveLength(1);
    expect(await findEndpoint(world.db, tenantId, id)).toMatchObject({ status });
    expect((await recordOf(world, endpoint, event)).status).toBe('retrying');
    expect(await toldOf(endpoint)).toEqual([]);
  });

  it('is told of once, although many deliveries hear it at a time', async () => {
    const receiver = await startReceiver(() => 410);
    const endpoint = await newEndpoint(world, receiver.url);
    for (let nth = 0; nth < 5; nth += 1) await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs());
    expect(await toldOf(endpoint)).toHaveLength(1);
  });
});

describe('an endpoint that fails for days', () => {
  /** Behind an open breaker. */
  const failing = async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url, { retry: RETRY });
    const openedAtMs = world.clock.nowMs();
    for (let nth = 0; nth < 10; nth += 1) {
      await world.db.commit([countFailure(endpoint, false, openedAtMs)]);
    }
    await world.db.commit([openBreaker(endpoint, openedAtMs)]);
    const passDays = async (allDays: readonly number[]) => {
      for (const days of allDays) {
        world.clock.set(openedAtMs + days * DAY_MS);
        world.sent.push(...(await sweepEndpoint(world, endpoint)));
        await workUntil(world, world.clock.nowMs() + HOUR_MS);
      }
    };
    return { receiver, endpoint, passDays };
  };

  /** With the message after a probe that failed on the sixth day. */
  const aboutToGiveUp = async () => {
    const { endpoint, passDays } = await failing();
    for (let nth = 0; nth < 2; nth += 1) await relayed(world, endpoint.tenantId);
    await passDays([0.5, 3, 4.99]);
    world.clock.advance(DAY_MS);
    world.sent.push(...(await sweepEndpoint(world, endpoint)));
    await workUntil(world, world.clock.nowMs());
    world.clock.advance(HOUR_MS);
    const [probe] = await sweepEndpoint(world, endpoint);
    if (!probe) throw new Error('no probe is due');
    expect(troubleOf(await findHealth(world.db, endpoint))).toMatchObject({ kind: 'give_up' });
    return { endpoint, passDays, probe };
  };

  it('is told of after one and three days, and disabled after five', async () => {
    const { endpoint, passDays } = await failing();
    for (let nth = 0; nth < 3; nth += 1) await relayed(world, endpoint.tenantId);
    await passDays([0.5, 1, 1.5, 3, 4, 5, 6]);
    const { id: endpointId } = endpoint;
    expect(await toldOf(endpoint)).toEqual([
      { type: 'endpoint.failing', data: { endpointId, days: 1, failureStreak: AT_LEAST_TEN } },
      { type: 'endpoint.failing', data: { endpointId, days: 3, failureStreak: AT_LEAST_TEN } },
      { type: 'endpoint.disabled', data: { endpointId, reason: 'failing' } },
    ]);
    expect((await findHealth(world.db, endpoint)).probeAtMs).toBeUndefined();
  });

  it('is left alone when somebody has opened it at that moment', async () => {
    const { endpoint, probe } = await aboutToGiveUp();
    const { tenantId, id } = endpoint;
    const find: DeliveryWorld['endpoints']['find'] = async (...name) => {
      const body = { status: 'active' };
      await webhooksApi(world)(tenantId, `PATCH /v1/endpoints/${id}`, { body });
      return world.endpoints.find(...name);
    };
    await care(probe, { ...world, endpoints: { ...world.endpoints, find } });
    expect((await toldOf(endpoint)).map(({ type }) => type)).toEqual(['endpoint.failing']);
    expect(await findEndpoint(world.db, tenantId, id)).toMatchObject({ status: 'active' });
  });

  it('goes on being probed when it was changed at that moment', async () => {
    const { endpoint, passDays, probe } = await aboutToGiveUp();
    const { tenantId, id } = endpoint;
    const find: DeliveryWorld['endpoints']['find'] = async (...name) => {
      const known = await world.endpoints.find(...name);
      const body = { description: 'mended just now' };
      await webhooksApi(world)(tenantId, `PATCH /v1/endpoints/${id}`, { body });
      return known;
    };
    await care(probe, { ...world, endpoints: { ...world.endpoints, find } });
    expect(await findEndpoint(world.db, tenantId, id)).toMatchObject({ status: 'active' });
    expect((await findHealth(world.db, endpoint)).probeAtMs).toBeDefined();
    await passDays([6.1]);
    expect((await toldOf(endpoint)).at(-1)?.type).toBe('endpoint.disabled');
  });

  it('is left alone through a week in which nothing is there to be sent', async () => {
    const { endpoint, receiver, passDays } = await failing();
    await passDays([1, 2, 3, 4, 5, 6, 7]);
    expect(await toldOf(endpoint)).toEqual([]);
    expect(await findEndpoint(world.db, endpoint.tenantId, endpoint.id)).toMatchObject({
      status: 'active',
    });
    await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs() + 60_000);
    expect(receiver.got).toHaveLength(1);
    await passDays([7.5]);
    expect((await toldOf(endpoint)).map(({ type }) => type)).toEqual(['endpoint.disabled']);
  });

  it('is told of, when disabled, only to who names that', () => {
    const type = 'endpoint.disabled';
    const endpoint = { id: 'end_1', status: 'active' } as unknown as Endpoint;
    expect(wants(endpoint, { type })).toBe(false);
    const naming = { ...endpoint, eventTypes: ['endpoint.*'] };
    expect(wants(naming, { type })).toBe(true);
    expect(wants(naming, { type, about: 'end_1' })).toBe(false);
  });
});
