import { beforeAll, describe, expect, it } from 'vitest';
import { eventKey } from '../../functions/events/event.store.ts';
import { deliveryKey, findDelivery } from '../../functions/webhooks/delivery.store.ts';
import { afterFirstAttempt, newDelivery } from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { saveStep } from '../../functions/webhooks/save-delivery.ts';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  handleDue,
  newEndpoint,
  recordOf,
  relayed,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

describe('a receiver that is too busy', () => {
  it('is left alone as long as it asks, and no attempt is spent', async () => {
    const after = { 'retry-after': '30' };
    const receiver = await startReceiver((nth) =>
      nth === 1 ? { status: 429, headers: after } : 200,
    );
    const endpoint = await newEndpoint(world, receiver.url, { retry: { maxAttempts: 1 } });
    const startMs = world.clock.nowMs();
    const first = await relayed(world, endpoint.tenantId);
    await handleDue(world);
    const second = await relayed(world, endpoint.tenantId);
    await handleDue(world);

    expect(receiver.got).toHaveLength(1);
    const rows = [await recordOf(world, endpoint, first), await recordOf(world, endpoint, second)];
    expect(rows.map((it) => [it.status, it.spent])).toEqual([
      ['retrying', 0],
      ['waiting', 0],
    ]);
    for (const { dueMs } of rows) expect(dueMs).toBeGreaterThanOrEqual(startMs + 30_000);
    await drain(world);
    expect(receiver.got).toHaveLength(3);
    expect(await recordOf(world, endpoint, first)).toMatchObject({ status: 'delivered', seq: 2 });
    expect(await recordOf(world, endpoint, second)).toMatchObject({ status: 'delivered', seq: 1 });
  });

  it('is asked less and less often when it names no time', async () => {
    const receiver = await startReceiver((nth) => (nth <= 3 ? 429 : 200));
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);
    const { attempts } = await recordOf(world, endpoint, event);
    const times = attempts.map((it) => it.atMs);
    const gaps = times.slice(1).map((ms, index) => ms - (times[index] ?? 0));
    expect(gaps.map((ms) => Math.floor(ms / 1_000))).toEqual([1, 2, 4]);
  });
});

describe('a delivery whose event is no more', () => {
  const forget = ({ tenantId, id }: { tenantId: string; id: string }) =>
    world.db.commit([{ kind: 'remove', table: 'outbox', key: eventKey(tenantId, id) }]);

  it('is too late, and nobody looks at it again', async () => {
    const receiver = await startReceiver(() => 500);
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    await handleDue(world);
    await forget(event);
    await drain(world);
    const row = await recordOf(world, endpoint, event);
    expect(row).toMatchObject({ status: 'expired', reason: 'event_gone', seq: 1 });
    expect(row.dueMs).toBeUndefined();
    expect(receiver.got).toHaveLength(1);
  });

  it('is none where it had no record', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/');
    const { tenantId, id: endpointId } = endpoint;
    const event = await relayed(world, tenantId, { data: JSON.stringify('x'.repeat(60_000)) });
    await forget(event);
    await drain(world);
    const name = { tenantId, endpointId, eventId: event.id };
    expect(await findDelivery(world.db, name)).toBeUndefined();
    expect(world.lines.findLast((it) => it.event === 'delivery.skipped')).toMatchObject({
      decision: 'gone',
    });
  });
});

describe('a retry whose message comes early', () => {
  it('waits for its time: SQS delays by whole seconds, rounded down', async () => {
    const receiver = await startReceiver((nth) => (nth === 1 ? 500 : 200));
    const retry = { maxAttempts: 2, scheduleSeconds: [1] };
    const endpoint = await newEndpoint(world, receiver.url, { retry });
    const event = await relayed(world, endpoint.tenantId);
    await handleDue(world);

    const early = world.sent.splice(0).filter((it) => it.queue === 'delivery-slow');
    for (const message of early) await handle(message, world);

    const { attempts, status } = await recordOf(world, endpoint, event);
    const waitedMs = (attempts[1]?.atMs ?? 0) - (attempts[0]?.atMs ?? 0);
    expect(status).toBe('delivered');
    expect(waitedMs).toBeGreaterThanOrEqual(800);
  });
});

describe('an endpoint that is closed', () => {
  it.each(['paused', 'disabled'] as const)('%s: holds what is on its way', async (status) => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { status: 'paused' });
    const event = await relayed(world, endpoint.tenantId);
    await world.db.commit([
      {
        kind: 'update',
        table: 'endpoints',
        key: { pk: endpoint.tenantId, sk: endpoint.id },
        update: 'SET #status = :status',
        names: { '#status': 'status' },
        values: { ':status': status },
      },
    ]);
    await drain(world);
    const record = await recordOf(world, endpoint, event);
    expect(record).toMatchObject({ status: 'held', seq: 0, reason: `endpoint_${status}` });
    expect(receiver.got).toHaveLength(0);

    world.clock.set(record.dueMs ?? 0);
    const key = deliveryKey(record);
    await handle({ body: { v: 1, ...key, dueMs: record.dueMs } }, world);
    expect((await recordOf(world, endpoint, event)).status).toBe('expired');
  });

  it('that does not exist any more cancels its deliveries', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const key = { pk: endpoint.tenantId, sk: endpoint.id };
    await world.db.commit([{ kind: 'remove', table: 'endpoints', key }]);
    await drain(world);
    expect((await recordOf(world, endpoint, event)).status).toBe('cancelled');
    expect(receiver.got).toHaveLength(0);
  });
});

describe('an alert of a file', () => {
  const data = '{"userId":"ü-1"}';
  const alertAt = (key: string) => ({
    origin: { fileId: 'fil_1', block: 3, index: 7 },
    bodyRef: { key, start: 7, end: 7 + Buffer.byteLength(data) },
    timestampMs: Date.UTC(2026, 0, 1),
  });
  const refused = {
    outcome: 'failed',
    status: 500,
    ms: 3,
    throttled: false,
    disable: false,
  } as const;

  /** The record of an alert whose first attempt was refused, and the message of the sweeper. */
  async function refusedAlert(endpoint: Endpoint, bodyKey: string) {
    const name = { tenantId: endpoint.tenantId, endpointId: endpoint.id, eventId: 'evt_0ALERT' };
    const nowMs = world.clock.nowMs();
    const alert = alertAt(bodyKey);
    const before = newDelivery({ ...name, eventType: 'alert', alert }, nowMs - 3);
    const row = afterFirstAttempt(before, refused, {
      endpoint,
      isRepeat: false,
      nowMs,
      random: 0.5,
      startedAtMs: nowMs - 3,
    });
    const step = { before, after: row };
    expect((await saveStep(world, step)).won).toBe(true);
    expect((await saveStep(world, step)).won).toBe(false);
    world.clock.set(row.dueMs ?? 0);
    return { name, due: { body: { v: 1, ...deliveryKey(name), dueMs: row.dueMs } } };
  }

  const notices = ({ tenantId }: Endpoint) =>
    world.sent
      .filter((it) => it.queue === 'file-care' && it.body.tenant === tenantId)
      .map((it) => it.body);

  it('is read from its bytes at each attempt, and its file is told of the end', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    world.objects.set('work/a', Buffer.from(`garbage${data}garbage`));
    const { name, due } = await refusedAlert(endpoint, 'work/a');
    await handle(due, world);

    const timestamp = '2026-01-01T00:00:00.000Z';
    expect(receiver.got[0]?.body.toString()).toBe(
      `{"id":"evt_0ALERT","type":"alert","timestamp":"${timestamp}","data":${data}}`,
    );
    expect(receiver.got[0]?.headers['webhook-attempt']).toBe('2');
    expect(notices(endpoint)).toEqual([
      expect.objectContaining({ file: 'fil_1', block: 3, index: 7 }),
    ]);
    const alert = alertAt('work/a');
    expect(await findDelivery(world.db, name)).toMatchObject({ status: 'delivered', alert });
  });

  it('whose bytes are no more is too late, and its file is told', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const { name, due } = await refusedAlert(endpoint, 'work/gone');
    await handle(due, world);
    const end = { status: 'expired', reason: 'event_gone', seq: 1, dueMs: undefined };
    expect(await findDelivery(world.db, name)).toMatchObject(end);
    expect(notices(endpoint)).toEqual([expect.objectContaining({ file: 'fil_1', index: 7 })]);
    expect(receiver.got).toEqual([]);
  });

  it('whose endpoint is no more is cancelled, and its bytes are not read', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/');
    const { name, due } = await refusedAlert(endpoint, 'work/gone');
    const key = { pk: endpoint.tenantId, sk: endpoint.id };
    await world.db.commit([{ kind: 'remove', table: 'endpoints', key }]);
    await handle(due, world);
    const end = { status: 'cancelled', reason: 'endpoint_deleted' };
    expect(await findDelivery(world.db, name)).toMatchObject(end);
    expect(notices(endpoint)).toHaveLength(1);
  });
});

describe('a message', () => {
  it('that is none of ours is refused, so that it ends in the dead-letter queue', async () => {
    await expect(handle({ body: { hello: 1 } }, world)).rejects.toThrow();
  });

  it('for a record that is gone does nothing', async () => {
    const body = { v: 1, tenant: 'ten_1', endpoint: 'end_1', event: 'evt_1', seq: 4 };
    await handle({ body }, world);
    expect(world.lines.at(-1)).toMatchObject({ event: 'delivery.skipped', decision: 'gone' });
  });
});
