import { beforeEach, describe, expect, it } from 'vitest';
import { findBlock } from '../../functions/files/block.store.ts';
import { settleAlerts } from '../../functions/files/settle-alerts.ts';
import type { Write } from '../../functions/shared/world.ts';
import { findDelivery } from '../../functions/webhooks/delivery.store.ts';
import { retryByHand } from '../../functions/webhooks/delivery.ts';
import { nextMessage } from '../../functions/webhooks/delivery-message.ts';
import { insertEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { saveStep } from '../../functions/webhooks/save-delivery.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

async function violations(): Promise<string[]> {
  return checkFiles(await takeSnapshot(house.world.client, house.world.tables));
}

function eventsOf(type: string) {
  return takeSnapshot(house.world.client, house.world.tables).then(({ outbox }) =>
    outbox.filter((it) => it.type === type),
  );
}

describe('a file', () => {
  it('alerts each of its users once, and its counts add up', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(2_345));

    const done = await house.settle(file);

    expect(done).toMatchObject({
      state: 'completed',
      rows: 2_345,
      alerts: 2_345,
      delivered: 2_345,
    });
    expect(house.copies().size).toBe(2_345);
    expect(house.received).toHaveLength(2_345);
    expect(await violations()).toEqual([]);
    for (const type of ['file.ready', 'file.completed'])
      expect(await eventsOf(type)).toHaveLength(1);
  });

  it('sends the data of the row, under an id of file and user', async () => {
    const content = 'user_id,name,city\nu1,"Ann ""A""","Łódź,\nPoland"\n';
    const file = await house.upload(await house.addEndpoint(), content, { message: 'Hello' });

    await house.settle(file);

    const [alert] = house.received;
    expect(JSON.parse(alert?.body ?? '')).toEqual({
      id: alert?.eventId,
      type: 'alert',
      timestamp: expect.stringMatching(/^2026-11-21T12:00:\d\d\.\d{3}Z$/),
      data: {
        userId: 'u1',
        message: 'Hello',
        row: 1,
        fileId: file.id,
        fileName: 'users.csv',
        columns: { name: 'Ann "A"', city: 'Łódź,\nPoland' },
      },
    });
    expect(alert?.eventId).toMatch(/^evt_[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it('goes from block to block without anybody looking after it', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 16 });
    const file = await house.upload(endpoint, usersFile(2_100));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', window: 1, blocks: 3, delivered: 2_100 });
    expect(house.world.lines.map((it) => it.event)).not.toContain('file.blocks-stalled');
  });

  it('costs at most 0.06 write units per alert', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(4_000));
    house.world.units.splice(0);

    await house.settle(file);

    const writes = house.world.units.filter(({ operation }) => !/^(get|query)/.test(operation));
    const units = writes.flatMap((it) => it.consumed).map((it) => it.CapacityUnits ?? 0);
    const total = units.reduce((sum, it) => sum + it, 0);
    expect(total / 4_000).toBeLessThanOrEqual(0.06);
  });
});

describe('an alert that fails', () => {
  it('becomes a delivery with its usual retries, and is counted at its end', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 3, scheduleSeconds: [5] } });
    house.reply = (userId, nth) => {
      if (userId === 'u7') return 500;
      return userId === 'u5' && nth < 3 ? 500 : 200;
    };
    const file = await house.upload(endpoint, usersFile(40));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: 39, failed: 1, pending: 0 });
    expect(house.copies().get('u5')).toBe(3);
    expect(house.copies().get('u7')).toBe(3);
    expect(house.received).toHaveLength(38 + 3 + 3);
    expect(new Set(house.received.map((it) => it.eventId)).size).toBe(40);
    for (const userId of ['u5', 'u7']) {
      const bodies = house.received.filter((it) => it.userId === userId).map((it) => it.body);
      expect(new Set(bodies).size, 'a retry sends the same bytes').toBe(1);
    }
    expect(await violations()).toEqual([]);
  });

  it('for good, because one attempt is all that it has, is told of as exhausted', async () => {
    house.reply = (userId) => (userId === 'u1' ? 500 : 200);
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const file = await house.upload(endpoint, usersFile(3), { traceparent });
    expect(await house.settle(file)).toMatchObject({ delivered: 2, failed: 1 });
    const events = await eventsOf('delivery.exhausted');
    expect(events).toEqual([expect.objectContaining({ tenant: file.tenantId, traceparent })]);
    const alert = house.received.find((it) => it.userId === 'u1');
    expect(JSON.parse(String(events[0]?.data))).toEqual({
      deliveryId: expect.stringMatching(/^dlv_/),
      endpointId: endpoint.id,
      eventId: alert?.eventId,
      eventType: 'alert',
      attempts: 1,
      reason: 'attempts_used_up',
    });
    expect(await violations()).toEqual([]);
  });

  it('is counted also when every notice of an outcome gets lost', async () => {
    house.reply = (userId, nth) => (Number(userId.slice(1)) % 10 === 0 && nth === 1 ? 503 : 200);
    const file = await house.upload(await house.addEndpoint(), usersFile(1_100));
    const { queues } = house.doors;
    const send: typeof queues.send = async (queue, messages) =>
      queue === 'file-care' ? [] : queues.send(queue, messages);
    Object.assign(house.doors, { queues: { send } });

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: 1_100, failed: 0 });
    expect(await violations()).toEqual([]);
  });

  it('is counted with others of its block that end at the same moment', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = () => 500;
    const file = await house.upload(endpoint, usersFile(20));
    while (house.world.sent.length > 0) {
      await house.handleAll();
      house.world.clock.advance(1_000);
    }
    expect(await house.find(file)).toMatchObject({ state: 'completed', failed: 20, pending: 0 });
  });

  it('is counted with others of its block that end at the same moment in six', async () => {
    house.reply = () => 500;
    const file = await house.upload(await house.addEndpoint(), usersFile(6));
    for (const queue of ['file-events', 'file-blocks']) {
      const message = house.takeMessage();
      expect(message?.queue).toBe(queue);
      if (message) await house.handle(message);
    }
    const seen = await house.find(file);
    const block = await findBlock(house.world.db, { tenantId: file.tenantId, fileId: file.id }, 0);
    if (!block) throw new Error('no block');

    const settleOne = (place: number) =>
      settleAlerts(seen, { block, settlements: [{ place, outcome: 'delivered' }] }, house.doors);
    await Promise.all([0, 1, 2, 3, 4, 5, 5].map(settleOne));
    // A second instance, which has read the block before all that.
    await settleOne(5);

    expect(await house.find(file)).toMatchObject({ state: 'completed', delivered: 6, pending: 0 });
  });

  it('moves from failed to delivered when it is sent again by hand later', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = () => 500;
    const file = await house.upload(endpoint, usersFile(3));
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 3 });

    house.reply = () => 200;
    await sendAgain(endpoint, house.received[0]?.eventId ?? '');

    const { delivered, failed, pending } = await house.find(file);
    expect({ delivered, failed, pending }).toEqual({ delivered: 1, failed: 2, pending: 0 });
  });

  it('that nobody knows the outcome of is sent again, and says so', async () => {
    house.reply = (userId, nth) => (userId === 'u1' && nth === 1 ? 'hangs' : 200);
    const file = await house.upload(await house.addEndpoint(), usersFile(3));
    expect(await house.settle(file)).toMatchObject({ delivered: 3, uncertain: 0 });
    const copies = house.received.filter((it) => it.userId === 'u1');
    expect(copies.map((it) => it.possibleDuplicate)).toEqual([false, true]);
  });

  it('that nobody knows the outcome of is left to a person where the file wants that', async () => {
    house.reply = (userId) => (userId === 'u1' ? 'hangs' : 200);
    const endpoint = await house.addEndpoint({ onUnknown: 'stop' });
    const file = await house.upload(endpoint, usersFile(3));
    expect(await house.settle(file)).toMatchObject({ delivered: 2, uncertain: 1, pending: 0 });
    expect(house.copies().get('u1')).toBe(1);
  });
});

async function sendAgain(endpoint: Endpoint, eventId: string): Promise<void> {
  const name = { tenantId: endpoint.tenantId, endpointId: endpoint.id, eventId };
  const delivery = await findDelivery(house.world.db, name);
  if (!delivery) throw new Error(`no delivery of ${eventId}`);
  const nowMs = house.world.clock.nowMs();
  const after = retryByHand(delivery, endpoint, { force: false, nowMs });
  await saveStep(house.doors, { before: delivery, after });
  await house.handle({ queue: 'delivery-slow', ...nextMessage(after) });
  for (let it = house.takeMessage(); it; it = house.takeMessage()) await house.handle(it);
}

describe('the receiver', () => {
  it('is left alone as long as it asks for, and loses nobody', async () => {
    let refusals = 0;
    house.reply = (userId) => {
      if (userId !== 'u30' || refusals > 0) return 200;
      refusals += 1;
      return { status: 429, retryAfter: '120' };
    };
    const file = await house.upload(await house.addEndpoint(), usersFile(60));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: 60, failed: 0 });
    const [refusedAtMs = 0, sentAtMs = 0] = house.received
      .filter((it) => it.userId === 'u30')
      .map((it) => it.atMs);
    expect(sentAtMs - refusedAtMs).toBeGreaterThanOrEqual(120_000);
    const between = house.received.filter((it) => it.atMs > refusedAtMs && it.atMs < sentAtMs);
    expect(between).toEqual([]);
    expect(house.received).toHaveLength(61);
  });

  it.each([
    [50, 300],
    [3, 30],
    [0.5, 8],
  ])('with a limit of %d per second gets no more than that', async (perSecond, users) => {
    const endpoint = await house.addEndpoint({ perSecond });
    const file = await house.upload(endpoint, usersFile(users));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: users });
    const lastMs = Math.max(...house.received.map((it) => it.atMs));
    const seconds = (lastMs - (done.readyAtMs ?? 0)) / 1_000;
    expect((users - 1) / seconds).toBeLessThanOrEqual(perSecond);
    expect((users - 1) / seconds).toBeGreaterThan(perSecond * 0.85);
    expect(house.received).toHaveLength(users);
  });

  it('gets nothing while its endpoint is not active, and everything after', async () => {
    const endpoint = await house.addEndpoint({ status: 'paused' });
    const file = await house.upload(endpoint, usersFile(30));
    for (let it = house.takeMessage(); it; it = house.takeMessage()) await house.handle(it);
    expect(house.received).toEqual([]);

    const active = { ...endpoint, status: 'active' as const };
    const { condition: _condition, ...put } = insertEndpoint(active);
    await house.world.db.commit([put as Write]);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 30 });
  });

  it('that is slow keeps no worker beyond its time', async () => {
    const { http } = house.doors;
    const post: typeof http.post = async (request) => {
      house.world.clock.advance(300);
      return http.post(request);
    };
    Object.assign(house.doors, { http: { ...http, post } });
    const file = await house.upload(await house.addEndpoint(), usersFile(400));

    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 400 });
    expect(house.received).toHaveLength(400);
    expect(
      house.world.lines.filter((it) => it.event === 'file.block-rests').length,
    ).toBeGreaterThan(1);
  });
});
