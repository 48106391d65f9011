import { beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '../../functions/shared/problem.ts';
import type { Db } from '../../functions/shared/world.ts';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import { deliveryId } from '../../functions/webhooks/delivery-name.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  handleDue,
  newEndpoint,
  newEvent,
  recordOf,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

const gapsOf = (times: readonly number[]) =>
  times.slice(1).map((ms, index) => ms - (times[index] ?? 0));

describe('a receiver of one request per two seconds', () => {
  it('gets all of a burst, never two closer than nine tenths of its interval', async () => {
    const times: number[] = [];
    const receiver = await startReceiver(() => {
      times.push(world.clock.nowMs());
      return 200;
    });
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.5 });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 12 }, () => newEvent(world, tenantId)));
    await relayEvents(events, world);
    await drain(world);
    expect(times).toHaveLength(12);
    expect(Math.min(...gapsOf(times))).toBeGreaterThanOrEqual(1_800);
    expect(Math.max(...gapsOf(times))).toBeLessThanOrEqual(2_300);
  });

  it('gets nothing at a missed slot: the late one takes a new slot and waits for it', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.5 });
    const { tenantId } = endpoint;
    const [first, second] = [await newEvent(world, tenantId), await newEvent(world, tenantId)];
    await relayEvents([first, second], world);
    world.clock.advance(20_000);
    await handleDue(world);
    expect(receiver.got).toHaveLength(1);
    const waiting = await recordOf(world, endpoint, second);
    expect(waiting).toMatchObject({ status: 'waiting', seq: 0 });
    expect(waiting.dueMs).toBe(world.clock.nowMs() + 2_106);
    await drain(world);
    expect(receiver.got).toHaveLength(2);
  });

  it('gets its retries at slots of their own', async () => {
    const times: number[] = [];
    const receiver = await startReceiver((nth) => {
      times.push(world.clock.nowMs());
      return nth <= 4 ? 500 : 200;
    });
    const endpoint = await newEndpoint(world, receiver.url, {
      perSecond: 0.5,
      retry: { maxAttempts: 5, scheduleSeconds: [1] },
    });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 4 }, () => newEvent(world, tenantId)));
    await relayEvents(events, world);
    await drain(world);
    for (const event of events) {
      expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
    }
    expect(times).toHaveLength(8);
    expect(Math.min(...gapsOf(times))).toBeGreaterThanOrEqual(1_800);
  });
});

describe('a claim that takes so long that its slot is over', () => {
  /** Claims, and nothing else, take as long as this; one after the other. */
  const withSlowClaims = (claimsMs: number[]): DeliveryWorld => ({
    ...world,
    db: {
      ...world.db,
      commit: async (writes) => {
        const commit = await world.db.commit(writes);
        const isClaim = JSON.stringify(writes).includes('"inflight"');
        if (isClaim) world.clock.advance(claimsMs.shift() ?? 0);
        return commit;
      },
    },
  });

  const sendTwo = async (claimsMs: number[]) => {
    const times: number[] = [];
    const receiver = await startReceiver(() => {
      times.push(world.clock.nowMs());
      return 200;
    });
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 0.5 });
    const { tenantId } = endpoint;
    const events = [await newEvent(world, tenantId), await newEvent(world, tenantId)];
    await relayEvents(events, world);
    await drain(withSlowClaims(claimsMs));
    const records = await Promise.all(events.map((it) => recordOf(world, endpoint, it)));
    return { times, records };
  };

  it('sends nothing then, but takes another slot: the limit is kept', async () => {
    const { times, records } = await sendTwo([1_900]);
    expect(times).toHaveLength(2);
    expect(Math.min(...gapsOf(times))).toBeGreaterThanOrEqual(1_800);
    expect(records).toMatchObject([
      { status: 'delivered', spent: 1 },
      { status: 'delivered', spent: 1 },
    ]);
    expect(records.flatMap(({ attempts }) => attempts)).toHaveLength(2);
  });

  it('sends it nevertheless the fourth time, so that nobody waits for ever', async () => {
    const claimsMs = Array.from({ length: 20 }, () => 1_900);
    const { times, records } = await sendTwo(claimsMs);
    expect(times).toHaveLength(2);
    expect(records).toMatchObject([{ status: 'delivered' }, { status: 'delivered' }]);
    expect(claimsMs).toHaveLength(20 - 8);
  });
});

describe('a limit that is changed by PATCH', () => {
  const change = async (endpoint: Endpoint, body: object) => {
    const path = `/v1/endpoints/${endpoint.id}`;
    const { status } = await webhooksApi(world)(endpoint.tenantId, `PATCH ${path}`, { body });
    expect(status).toBe(200);
  };

  it('re-slots what waits by the old one, within five seconds', async () => {
    const times: number[] = [];
    const receiver = await startReceiver(() => {
      times.push(world.clock.nowMs());
      return 200;
    });
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 10 });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 90 }, () => newEvent(world, tenantId)));
    await relayEvents(events, world);
    await handleDue(world);
    await change(endpoint, { rateLimit: { perSecond: 0.5 } });
    const changedMs = world.clock.nowMs();
    await drain(world);
    expect(times).toHaveLength(90);
    const late = times.filter((it) => it >= changedMs + 5_000);
    expect(late.length).toBeGreaterThan(0);
    expect(Math.min(...gapsOf(late))).toBeGreaterThanOrEqual(1_800);
  });

  it('may be none from then on, and a receiver that is active again has no block', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/', { perSecond: 0.01 });
    await blockEndpoint(world, endpoint, { status: 429, retryAfterMs: 3_600_000 });
    await change(endpoint, { rateLimit: null, status: 'paused' });
    expect((await takeSlots(world, endpoint, 1)).blockedUntilMs).toBeDefined();
    await change(endpoint, { status: 'active' });
    const { slotsMs, blockedUntilMs } = await takeSlots(world, endpoint, 2);
    expect(slotsMs).toEqual([world.clock.nowMs(), world.clock.nowMs()]);
    expect(blockedUntilMs).toBeUndefined();
  });
});

describe('a receiver that is made active during its block', () => {
  const unblocked = async (fields: Partial<Endpoint>) => {
    const receiver = await startReceiver((nth) =>
      nth === 1 ? { status: 503, headers: { 'retry-after': '86400' } } : 200,
    );
    const endpoint = await newEndpoint(world, receiver.url, fields);
    const { tenantId, id } = endpoint;
    const first = await relayed(world, tenantId);
    await handleDue(world);
    // This worker knows of the block, and of its end only five seconds later.
    expect((await world.endpoints.find(tenantId, id))?.pace.blockedUntilMs).toBeDefined();
    const api = webhooksApi(world);
    await api(tenantId, `PATCH /v1/endpoints/${id}`, { body: { status: 'active' } });
    world.sent.splice(0);
    return { receiver, endpoint, first, api };
  };

  it('gets what is new at once, and not after the block that was', async () => {
    const { receiver, endpoint } = await unblocked({});
    await relayed(world, endpoint.tenantId);
    await handleDue(world);
    expect(receiver.got).toHaveLength(2);
  });

  it('gets what a person sends again, also with a limit', async () => {
    const { receiver, endpoint, first, api } = await unblocked({ perSecond: 10 });
    const id = deliveryId({ endpointId: endpoint.id, eventId: first.id });
    expect((await api(endpoint.tenantId, `POST /v1/deliveries/${id}/retry`)).status).toBe(202);
    // Until every worker knows of the new pace nothing has a slot of it.
    world.clock.advance(5_000);
    await handleDue(world);
    expect(receiver.got).toHaveLength(2);
  });
});

describe('a limited receiver that is too busy', () => {
  const busyReceiver = () =>
    startReceiver(() => ({ status: 429, headers: { 'retry-after': '60' } }));

  it('is left alone for as long as it asks, whatever has slots already', async () => {
    const receiver = await busyReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 10 });
    const { tenantId } = endpoint;
    const events = await Promise.all(Array.from({ length: 4 }, () => newEvent(world, tenantId)));
    for (const event of events) await relayEvents([event], world);
    for (const message of takeDue(world).slice(0, 1)) await handle(message, world);
    const untilMs = world.clock.nowMs() + 60_000;
    expect((await findPace(world.db, endpoint)).blockedUntilMs).toBe(untilMs);
    for (const message of world.sent.splice(0)) await handle(message, world);
    expect(receiver.got).toHaveLength(1);
  });

  it('has its answer on record, although the block cannot be stored', async () => {
    const receiver = await busyReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await newEvent(world, endpoint.tenantId);
    await relayEvents([event], world);
    const { commit } = world.db;
    const db: Db = {
      ...world.db,
      commit: async (writes) => {
        if (writes.some((it) => it.table === 'endpoints')) throw new Problem('unavailable');
        return commit(writes);
      },
    };
    for (const message of takeDue(world)) await handle(message, { ...world, db });
    const record = await recordOf(world, endpoint, event);
    expect(record).toMatchObject({ status: 'retrying', attempts: [{ status: 429 }] });
    expect(record.dueMs).toBeGreaterThanOrEqual(world.clock.nowMs() + 60_000);
    world.sent.splice(0);
  });
});
