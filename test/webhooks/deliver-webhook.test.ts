import { beforeAll, describe, expect, it } from 'vitest';
import { listOutbox, OUTBOX_SHARDS } from '../../functions/events/event.store.ts';
import type { RelayedEvent } from '../../functions/events/event.ts';
import { findSamples } from '../../functions/webhooks/delivery.store.ts';
import { claim, newDelivery } from '../../functions/webhooks/delivery.ts';
import { deliveryId } from '../../functions/webhooks/delivery-name.ts';
import { saveStep } from '../../functions/webhooks/save-delivery.ts';
import { verifyWebhook } from '../../functions/webhooks/signature.ts';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  newEndpoint,
  recordOf,
  relayed,
  SECRET,
  takeDue,
} from './delivery-world.ts';
import { hangFor, startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** The events of a tenant of one type, as the outbox holds them. */
async function eventsOf(tenantId: string, type: string): Promise<RelayedEvent[]> {
  const shards = Array.from({ length: OUTBOX_SHARDS }, (_, shard) => shard);
  const pages: RelayedEvent[] = [];
  for (const shard of shards) {
    const minute = Math.floor(world.clock.nowMs() / 60_000);
    for (const back of [0, 1]) {
      for await (const page of listOutbox(world.db, minute - back, shard)) {
        pages.push(...page.events);
      }
    }
  }
  return pages.filter((it) => it.tenantId === tenantId && it.type === type);
}

describe('a delivery that succeeds at once', () => {
  it('arrives signed, byte for byte, and is on record', async () => {
    const receiver = await startReceiver(() => 204);
    const endpoint = await newEndpoint(world, receiver.url);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const event = await relayed(world, endpoint.tenantId, { traceparent });
    await drain(world);

    const [got] = receiver.got;
    const timestamp = new Date(event.occurredAtMs).toISOString();
    const head = `{"id":"${event.id}","type":"order.paid","timestamp":"${timestamp}"`;
    expect(got?.body.toString()).toBe(`${head},"data":${event.data}}`);
    expect(got?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'Tallyhook/1',
      'webhook-id': event.id,
      'webhook-attempt': '1',
      'webhook-hops': '1',
      traceparent,
    });
    expect(got?.headers['webhook-possible-duplicate']).toBeUndefined();
    const nowSeconds = Number(got?.headers['webhook-timestamp']);
    const window = { nowSeconds, toleranceSeconds: 0 };
    expect(got && verifyWebhook([SECRET], got, window)).toBe('valid');
    expect(await recordOf(world, endpoint, event)).toMatchObject({
      status: 'delivered',
      eventType: 'order.paid',
      attempts: [{ n: 1, outcome: 'delivered', status: 204 }],
    });
  });

  it('costs two write units and, with a known endpoint, no read', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    await relayed(world, endpoint.tenantId);
    await drain(world);
    const second = await relayed(world, endpoint.tenantId);
    world.takeUnits();
    const calls = world.units;
    await drain(world);

    expect(calls.map((it) => it.operation)).toEqual(['update', 'update']);
    expect(world.takeUnits()).toBe(2);
    expect((await recordOf(world, endpoint, second)).status).toBe('delivered');
  });

  it('re-reads what is too large for a message', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const data = JSON.stringify('x'.repeat(60 * 1_024));
    await relayed(world, endpoint.tenantId, { data });
    expect(world.sent.at(-1)?.body.body).toBeUndefined();
    await drain(world);
    expect(receiver.got[0]?.body.toString()).toContain(data);
  });

  it('is sent once, however often its message comes', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    await Promise.all(Array.from({ length: 20 }, () => handle(message, world)));
    await handle(message, world);
    await drain(world);
    expect(receiver.got).toHaveLength(1);
  });
});

describe('a delivery that fails', () => {
  it('is sent again by the schedule until it succeeds', async () => {
    const receiver = await startReceiver((nth) =>
      nth < 3 ? { status: 500, body: `no ${nth}` } : 200,
    );
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);

    const record = await recordOf(world, endpoint, event);
    expect(record).toMatchObject({ status: 'delivered', seq: 3, spent: 3, unsure: false });
    expect(record.dueMs).toBeUndefined();
    expect(receiver.got.map((it) => it.headers['webhook-attempt'])).toEqual(['1', '2', '3']);
    const ids = new Set(receiver.got.map((it) => it.headers['webhook-id']));
    expect([...ids]).toEqual([event.id]);
    const [first, second] = record.attempts;
    const waitedMs = (second?.atMs ?? 0) - (first?.atMs ?? 0);
    expect(waitedMs).toBeGreaterThanOrEqual(8_000);
    expect(waitedMs).toBeLessThan(14_000);
    expect([...(await findSamples(world.db, record))]).toEqual([
      [1, 'no 1'],
      [2, 'no 2'],
    ]);
  });

  it('ends exhausted, in one commit with the event that says so', async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);

    const record = await recordOf(world, endpoint, event);
    expect(record).toMatchObject({ status: 'exhausted', seq: 3, reason: 'attempts_used_up' });
    expect(receiver.got).toHaveLength(3);
    const [told] = await eventsOf(endpoint.tenantId, 'delivery.exhausted');
    expect(JSON.parse(told?.data ?? '')).toEqual({
      deliveryId: deliveryId(record),
      endpointId: endpoint.id,
      eventId: event.id,
      eventType: 'order.paid',
      attempts: 3,
      reason: 'attempts_used_up',
    });
    const line = world.lines.findLast((it) => it.event === 'delivery.attempt');
    expect(line).toMatchObject({ decision: 'exhausted', attempt: 3, status: 500 });
    expect(JSON.stringify(world.lines)).not.toContain('whsec_');
  });

  it('says nothing when what is exhausted says so itself', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook', {
      retry: { maxAttempts: 1 },
      eventTypes: ['delivery.exhausted'],
    });
    await relayed(world, endpoint.tenantId, { type: 'delivery.exhausted', data: '{}' });
    await drain(world);
    expect(await eventsOf(endpoint.tenantId, 'delivery.exhausted')).toHaveLength(1);
  });

  it('is a failure when nothing listens, and shows no more than that', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook', {
      retry: { maxAttempts: 1 },
    });
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);
    const record = await recordOf(world, endpoint, event);
    expect(record.attempts).toEqual([
      expect.objectContaining({ outcome: 'failed', error: 'refused' }),
    ]);
    expect(record.attempts[0]).not.toHaveProperty('status');
  });
});

describe('an outcome that nobody knows', () => {
  it.each(['hang', 'reset'] as const)('after a %s marks the repeat on the wire', async (how) => {
    const timeoutMs = 300;
    const first = () => (how === 'hang' ? hangFor(timeoutMs) : how);
    const receiver = await startReceiver((nth) => (nth === 1 ? first() : 200));
    const endpoint = await newEndpoint(world, receiver.url, { timeoutMs });
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);

    const marks = receiver.got.map((it) => it.headers['webhook-possible-duplicate']);
    expect(marks).toEqual([undefined, '1']);
    expect(await recordOf(world, endpoint, event)).toMatchObject({
      status: 'delivered',
      attempts: [{ outcome: 'unknown' }, { outcome: 'delivered', possibleDuplicate: true }],
    });
  });

  it('is left to a person where the endpoint wants that', async () => {
    const receiver = await startReceiver(() => 'reset');
    const endpoint = await newEndpoint(world, receiver.url, { onUnknown: 'stop' });
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'uncertain' });
    expect(receiver.got).toHaveLength(1);
  });

  it('is what a dead worker leaves behind', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    const before = newDelivery(
      { ...endpoint, endpointId: endpoint.id, eventId: event.id, eventType: event.type },
      world.clock.nowMs(),
    );
    const nowMs = world.clock.nowMs();
    await saveStep(world, { before, after: claim(before, nowMs + 35_000, nowMs) });

    await handle(message, world);
    expect(receiver.got).toHaveLength(0);
    world.clock.advance(35_001);
    await handle(message, world);
    await drain(world);
    expect(receiver.got.map((it) => it.headers['webhook-possible-duplicate'])).toEqual(['1']);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'delivered', spent: 2 });
  });

  it('never comes from a worker that wakes up after its lease', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const frozen = {
      ...world,
      secrets: {
        read: async (name: 'master-key') => {
          world.clock.advance(35_001);
          return world.secrets.read(name);
        },
      },
    } as DeliveryWorld;
    for (const message of takeDue(world)) await handle(message, frozen);
    expect(receiver.got).toHaveLength(0);
    expect(await recordOf(world, endpoint, event)).toMatchObject({ status: 'retrying', seq: 0 });
  });

  it('is none when our own fault kept it from being sent', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const broken = {
      ...world,
      secrets: { read: () => Promise.reject(new Error('no secrets today')) },
    } as DeliveryWorld;
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    await expect(handle(message, broken)).rejects.toThrow('no secrets today');
    expect(await recordOf(world, endpoint, event)).toMatchObject({ spent: 0, unsure: false });
    world.clock.advance(30_000);
    await handle(message, world);
    expect(receiver.got[0]?.headers['webhook-possible-duplicate']).toBeUndefined();
  });
});
