import { beforeAll, describe, expect, it } from 'vitest';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import {
  deliveryKey,
  findDeliveries,
  saveDelivery,
} from '../../functions/webhooks/delivery.store.ts';
import { claim, lateDelivery } from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { countFailure, findHealth } from '../../functions/webhooks/health.store.ts';
import { careMessage, newRelease, reopenWrites } from '../../functions/webhooks/release.store.ts';
import { nextRate, ratesOf, stepOf } from '../../functions/webhooks/slow-start.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { care, putStatus, sweepEndpoint, takeReady, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  newEndpoint,
  relayed,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const MINUTE_MS = 60_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** A paused endpoint with so many held deliveries, in the order of their events. */
async function withHeld(url: string, count: number, fields: Partial<Endpoint> = {}) {
  const endpoint = await newEndpoint(world, url, { status: 'paused', ...fields });
  const ids: string[] = [];
  for (let nth = 0; nth < count; nth += 1) {
    world.clock.advance(1);
    ids.push((await relayed(world, endpoint.tenantId)).id);
  }
  await drain(world);
  return { endpoint, ids };
}

async function statusesOf(endpoint: Endpoint, ids: readonly string[]) {
  const { tenantId, id: endpointId } = endpoint;
  const rows = await findDeliveries(
    world.db,
    ids.map((eventId) => ({ tenantId, endpointId, eventId })),
  );
  return rows.map((it) => it?.status);
}

/** What the sweeper sends for the release of this endpoint within a minute. */
async function swept(endpoint: Endpoint) {
  world.clock.advance(MINUTE_MS);
  const all = await sweepEndpoint(world, endpoint);
  return all.find((it) => it.queue === 'endpoint-care');
}

describe('the pace of a release', () => {
  it.each([
    { perSecond: undefined, share: 1, rates: { start: 50, max: 1_000 } },
    { perSecond: undefined, share: 0.01, rates: { start: 10, max: 10 } },
    { perSecond: 200, share: 0.5, rates: { start: 20, max: 100 } },
    { perSecond: 5, share: 1, rates: { start: 1, max: 5 } },
    { perSecond: 0.5, share: 1, rates: { start: 0.5, max: 0.5 } },
  ])('at $perSecond/s with a share of $share: $rates', ({ perSecond, share, rates }) => {
    expect(ratesOf(perSecond, share)).toEqual({ ...rates, limit: perSecond });
  });

  it.each([
    { perSecond: 50, limit: undefined, max: 1_000, step: { count: 250, lastsMs: 5_000 } },
    { perSecond: 1_000, limit: undefined, max: 1_000, step: { count: 500, lastsMs: 500 } },
    { perSecond: 0.01, limit: 0.01, max: 0.01, step: { count: 1, lastsMs: 100_000 } },
    { perSecond: 50, limit: 50, max: 50, step: { count: 250, lastsMs: 5_000 } },
    { perSecond: 50, limit: 51, max: 51, step: { count: 50, lastsMs: 1_000 } },
    { perSecond: 1.6, limit: 5, max: 5, step: { count: 2, lastsMs: 1_250 } },
    { perSecond: 25, limit: 50, max: 25, step: { count: 125, lastsMs: 5_000 } },
    { perSecond: 20, limit: 50, max: 25, step: { count: 20, lastsMs: 1_000 } },
  ])('sends $step at $perSecond/s of $max/$limit', ({ perSecond, limit, max, step }) => {
    expect(stepOf(perSecond, { limit, max })).toEqual(step);
  });

  it('doubles after a good step and halves after a bad one, within its bounds', () => {
    const rates = { start: 10, max: 70 };
    expect([10, 20, 40].map((it) => nextRate({ perSecond: it }, rates, false))).toEqual([
      20, 40, 70,
    ]);
    expect([70, 15].map((it) => nextRate({ perSecond: it }, rates, true))).toEqual([35, 10]);
  });
});

describe('the short steps of a release below a limit', () => {
  it.each([
    { from: 10, isFailing: false, to: 20 },
    { from: 20, isFailing: true, to: 10 },
  ])('lead from $from/s to $to/s in five seconds', ({ from, isFailing, to }) => {
    const rates = { start: 1, max: 50, limit: 100 };
    let [perSecond, ms] = [from, 0];
    while (ms < 5_000) {
      ms += stepOf(perSecond, rates).lastsMs;
      perSecond = nextRate({ perSecond }, rates, isFailing);
    }
    expect(perSecond / from).toBeCloseTo((to / from) ** (ms / 5_000));
  });
});

describe('a release of what is held', () => {
  it('sends it oldest first, and leaves nothing held', async () => {
    const receiver = await startReceiver();
    const { endpoint, ids } = await withHeld(receiver.url, 30);
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['held']));
    await putStatus(world, endpoint, 'active');
    const message = await swept(endpoint);
    if (!message) throw new Error('the sweeper found no release');
    await care(message, world);
    await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
    expect(receiver.got.map((it) => it.headers['webhook-id'])).toEqual(ids);
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['delivered']));
    expect(await swept(endpoint)).toBeUndefined();
  });

  it('is done step by step, also when every message is lost and workers die', async () => {
    const receiver = await startReceiver();
    const { endpoint, ids } = await withHeld(receiver.url, 12, { perSecond: 1 });
    await putStatus(world, endpoint, 'active');
    for (let round = 0; round < 4; round += 1) {
      const message = await swept(endpoint);
      if (!message) continue;
      // A worker that dies in the midst of its step has written some of it.
      let commits = 0;
      const commit: DeliveryWorld['db']['commit'] = (writes) => {
        commits += 1;
        if (round % 2 === 0 && commits > 4) throw new Error('died');
        return world.db.commit(writes);
      };
      await care(message, { ...world, db: { ...world.db, commit } }).catch(() => undefined);
      world.sent.splice(0);
    }
    for (let minute = 0; minute < 5; minute += 1) {
      world.clock.advance(MINUTE_MS);
      world.sent.push(...(await sweepEndpoint(world, endpoint)));
      await workUntil(world, world.clock.nowMs());
    }
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['delivered']));
    expect(receiver.got).toHaveLength(ids.length);
  });

  it('passes by a record that nobody can read', async () => {
    const receiver = await startReceiver();
    const { endpoint, ids } = await withHeld(receiver.url, 3);
    const { tenantId, id: endpointId } = endpoint;
    const [damaged = ''] = ids;
    await world.db.commit([
      {
        kind: 'update',
        table: 'deliveries',
        key: deliveryKey({ tenantId, endpointId, eventId: damaged }),
        update: 'REMOVE attempts SET seq = :text',
        values: { ':text': 'seven' },
      },
    ]);
    const message = await putStatus(world, endpoint, 'active');
    if (!message) throw new Error('no message');
    await care(message, world);
    await workUntil(world, world.clock.nowMs() + 2 * MINUTE_MS);
    expect(receiver.got.map((it) => it.headers['webhook-id'])).toEqual(ids.slice(1));
  });

  it('is done by one worker at a time', async () => {
    const receiver = await startReceiver();
    const { endpoint, ids } = await withHeld(receiver.url, 5, { perSecond: 50 });
    await putStatus(world, endpoint, 'active');
    const message = await swept(endpoint);
    if (!message) throw new Error('no message');
    await Promise.all(Array.from({ length: 6 }, () => care(message, world)));
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect(receiver.got).toHaveLength(ids.length);
  });

  it('ends where the endpoint is closed again, and what is left is held', async () => {
    const receiver = await startReceiver();
    const { endpoint, ids } = await withHeld(receiver.url, 12, { perSecond: 1 });
    await putStatus(world, endpoint, 'active');
    const message = await swept(endpoint);
    await putStatus(world, endpoint, 'paused');
    if (message) await care(message, world);
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['held']));
    expect(world.sent.filter((it) => it.queue === 'endpoint-care')).toEqual([]);
    expect(await swept(endpoint)).toBeUndefined();
  });

  it('leaves a step to the sweeper that no message can wait for', async () => {
    const { endpoint } = await withHeld('http://127.0.0.1:1/hook', 2);
    await putStatus(world, endpoint, 'active');
    await blockEndpoint(world, endpoint, { status: 503, retryAfterMs: 60 * MINUTE_MS });
    const message = await swept(endpoint);
    world.sent.splice(0);
    if (message) await care(message, world);
    expect(world.sent).toEqual([]);
    world.clock.advance(60 * MINUTE_MS);
    expect(await swept(endpoint)).toMatchObject({ queue: 'endpoint-care' });
  });

  it('cancels what was held for an endpoint that is deleted', async () => {
    const { endpoint, ids } = await withHeld('http://127.0.0.1:1/hook', 3);
    const release = newRelease(endpoint, 'resume', world);
    await world.db.commit(reopenWrites(endpoint, world, release));
    const key = { pk: endpoint.tenantId, sk: endpoint.id };
    await world.db.commit([{ kind: 'remove', table: 'endpoints', key }]);
    world.sent.push({ ...careMessage(release), queue: 'endpoint-care' });
    await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['cancelled']));
  });

  it('cancels what was to be tried again when its endpoint is deleted', async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url);
    const { id } = await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs());
    expect(await statusesOf(endpoint, [id])).toEqual(['retrying']);
    await webhooksApi(world)(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    await workUntil(world, world.clock.nowMs());
    expect(await statusesOf(endpoint, [id])).toEqual(['cancelled']);
    // The message of that time may still be in its queue.
    await workUntil(world, world.clock.nowMs() + 10 * MINUTE_MS);
    expect(await statusesOf(endpoint, [id])).toEqual(['cancelled']);
    expect(receiver.got).toHaveLength(1);
  });

  it('ends a first attempt whose worker died, when its endpoint was deleted', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook');
    const { id: eventId, type: eventType } = await relayed(world, endpoint.tenantId);
    const [message] = takeReady(world, /^delivery-/);
    const { tenantId, id: endpointId } = endpoint;
    const nowMs = world.clock.nowMs();
    const first = lateDelivery({ tenantId, endpointId, eventId, eventType }, nowMs);
    const claimed = { ...claim(first, nowMs + 35_000, nowMs), token: 'req_of-one-that-died' };
    await world.db.commit([saveDelivery(claimed, undefined, nowMs)]);
    await webhooksApi(world)(tenantId, `DELETE /v1/endpoints/${endpointId}`);
    await workUntil(world, nowMs + 3 * MINUTE_MS);
    expect(await statusesOf(endpoint, [eventId])).toEqual(['inflight']);
    // It comes again when its visibility timeout is over.
    if (message) await handle(message, world);
    expect(await statusesOf(endpoint, [eventId])).toEqual(['cancelled']);
  });

  it('cancels also what fails while a long search runs, when its endpoint is deleted', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook');
    const { tenantId, id: endpointId } = endpoint;
    const { id: eventId, type: eventType } = await relayed(world, tenantId);
    const nowMs = world.clock.nowMs();
    const first = lateDelivery({ tenantId, endpointId, eventId, eventType }, nowMs);
    const claimed = { ...claim(first, nowMs + 35_000, nowMs), token: 'req_of-a-slow-one' };
    await world.db.commit([saveDelivery(claimed, undefined, nowMs)]);
    await webhooksApi(world)(tenantId, `DELETE /v1/endpoints/${endpointId}`);
    const [message] = takeReady(world, /^endpoint-care/);
    const query: DeliveryWorld['db']['query'] = async (it) => {
      const page = await world.db.query(it);
      world.clock.set(Math.max(world.clock.nowMs(), nowMs + 61_000));
      return page;
    };
    if (message) await care(message, { ...world, db: { ...world.db, query } });
    const failed = { ...claimed, status: 'retrying', dueMs: nowMs + 10 * 60 * MINUTE_MS } as const;
    await world.db.commit([saveDelivery({ ...failed, token: 'req_2' }, claimed.token, nowMs)]);
    await workUntil(world, nowMs + 3 * MINUTE_MS);
    expect(await statusesOf(endpoint, [eventId])).toEqual(['cancelled']);
  });

  it('sees what came late to the index', async () => {
    const receiver = await startReceiver();
    const { endpoint, ids } = await withHeld(receiver.url, 2);
    const message = await putStatus(world, endpoint, 'active');
    let isBlind = true;
    const query: DeliveryWorld['db']['query'] = async (it) =>
      isBlind && it.index === 'open' ? { items: [] } : world.db.query(it);
    if (message) await care(message, { ...world, db: { ...world.db, query } });
    isBlind = false;
    expect((await statusesOf(endpoint, ids))[0]).toBe('held');
    await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['delivered']));
  });

  it('costs so many write units for each delivery', async () => {
    const { endpoint } = await withHeld('http://127.0.0.1:1/hook', 10);
    await putStatus(world, endpoint, 'active');
    const message = await swept(endpoint);
    world.takeUnits();
    if (message) await care(message, world);
    const writes = world.units.filter((it) => /^(update|put|write)/.test(it.operation));
    const units = writes.flatMap((it) => it.consumed).map((it) => it.CapacityUnits ?? 0);
    // Row, and from one place to another on the indexes `open` and `due`: per delivery.
    expect(units.filter((it) => it === 5)).toHaveLength(10);
    world.sent.splice(0);
  });
});

describe('PATCH with the status active', () => {
  it('sends what is held, and forgets that the breaker was open', async () => {
    const receiver = await startReceiver();
    const { endpoint, ids } = await withHeld(receiver.url, 3);
    await world.db.commit([countFailure(endpoint, false, world.clock.nowMs())]);
    const ask = webhooksApi(world);
    const asked = { body: { status: 'active' } };
    const { status } = await ask(endpoint.tenantId, `PATCH /v1/endpoints/${endpoint.id}`, asked);
    expect(status).toBe(200);
    expect((await findHealth(world.db, endpoint)).streak).toBe(0);
    await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['delivered']));
  });

  it('cancels with the DELETE of an endpoint what was held behind it', async () => {
    const { endpoint, ids } = await withHeld('http://127.0.0.1:1/hook', 2);
    await webhooksApi(world)(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    const message = await swept(endpoint);
    if (message) await care(message, world);
    expect(new Set(await statusesOf(endpoint, ids))).toEqual(new Set(['cancelled']));
  });
});
