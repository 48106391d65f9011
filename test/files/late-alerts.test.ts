import { beforeEach, describe, expect, it } from 'vitest';
import { release, retry } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { alertEventId } from '../../functions/files/send-alert.ts';
import { DAY_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { deliveryKey, findDelivery } from '../../functions/webhooks/delivery.store.ts';
import { findEndpoint, setStatus } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

async function changeTo({ tenantId, id }: Endpoint, status: Endpoint['status']): Promise<void> {
  const now = await findEndpoint(house.world.db, tenantId, id);
  if (!now) throw new Error(`no endpoint ${id}`);
  await house.world.db.commit(setStatus(now, status));
}

const deliveryName = (file: AlertFile, userId: string) => {
  const { tenantId, endpointId } = file;
  return { tenantId, endpointId, eventId: alertEventId(file, userId) };
};

async function deliveryOf(file: AlertFile, userId: string) {
  const found = await findDelivery(house.world.db, deliveryName(file, userId));
  if (!found) throw new Error(`no delivery of ${userId}`);
  return found;
}

/** Users are read now and alerted so many days later. */
async function releasedLate(endpoint: Endpoint, days: number, users = 2): Promise<AlertFile> {
  const file = await house.upload(endpoint, usersFile(users), { release: 'manual' });
  await house.handleAll();
  house.world.clock.advance(days * DAY_MS);
  await house.act(release, file);
  await house.handleAll();
  await house.handleAll();
  return house.find(file);
}

/** The sweeper brings a delivery that is due. */
async function sweepDelivery(file: AlertFile, userId: string): Promise<void> {
  const { dueMs = 0 } = await deliveryOf(file, userId);
  house.world.clock.set(Math.max(dueMs, house.world.clock.nowMs()));
  house.world.sent.length = 0;
  const body = { v: 1, ...deliveryKey(deliveryName(file, userId)), dueMs };
  await house.handle({ queue: 'delivery-slow', body });
}

describe('an alert of a file that was read long ago', () => {
  beforeEach(() => {
    house.reply = (userId) => (userId === 'u1' ? 500 : 200);
  });

  it('is held until what it sends is about to end, and has failed then', async () => {
    const endpoint = await house.addEndpoint();
    const file = await releasedLate(endpoint, 10);
    await changeTo(endpoint, 'paused');
    await sweepDelivery(file, 'u1');
    const held = await deliveryOf(file, 'u1');
    expect(held.status).toBe('held');
    expect(held.dueMs).toBe((file.readAtMs ?? 0) + 29 * DAY_MS);

    await sweepDelivery(file, 'u1');
    expect(await deliveryOf(file, 'u1')).toMatchObject({ status: 'expired' });
    await house.handleAll();
    const done = { state: 'completed', delivered: 1, failed: 1, pending: 0 };
    expect(await house.find(file)).toMatchObject(done);
  });

  it('is not tried again when what it sends would be no more by then', async () => {
    const plan = { maxAttempts: 9, scheduleSeconds: [(4 * DAY_MS) / SECOND_MS] };
    const file = await releasedLate(await house.addEndpoint({ retry: plan }), 27);
    const tooOld = { status: 'exhausted', reason: 'too_old' };
    expect(await deliveryOf(file, 'u1')).toMatchObject(tooOld);
    await house.handleAll();
    expect(await house.find(file)).toMatchObject({ state: 'completed', failed: 1 });
  });

  it('lives no longer where it probes a receiver that fails', async () => {
    house.reply = () => 503;
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    const file = await releasedLate(endpoint, 10, 60);
    for (let n = 0; n < 30; n += 1) {
      house.world.clock.advance(15 * SECOND_MS);
      await house.handleAll();
    }
    expect(house.world.lines.some((it) => it.event === 'file.alert-probes')).toBe(true);
    const { deliveries } = await takeSnapshot(house.world.client, house.world.tables);
    const made = new Set(deliveries.map((it) => it.createdAt));
    expect(made).toEqual(new Set([file.readAtMs]));
  });

  it('is not counted as slow where its record gets it at once', async () => {
    const ages: number[] = [];
    const { meters } = house.doors;
    const observe: typeof meters.observe = (name, seconds) => {
      if (name === 'tallyhook_delivery_age_seconds') ages.push(seconds);
    };
    Object.assign(house.doors, { meters: { ...meters, observe } });
    house.reply = () => 503;
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    const file = await releasedLate(endpoint, 10, 60);
    const isProbed = () => house.world.lines.some((it) => it.event === 'file.alert-probes');
    while (!isProbed()) {
      house.world.clock.advance(15 * SECOND_MS);
      await house.handleAll();
    }
    house.reply = () => 200;
    await house.settle(file);
    const { deliveries } = await takeSnapshot(house.world.client, house.world.tables);
    expect(deliveries.some((it) => it.status === 'delivered' && it.seq === 1)).toBe(true);
    expect(ages).toEqual([]);
  });

  it('that a person has sent again has no longer life than the first time', async () => {
    const endpoint = await house.addEndpoint({ onUnknown: 'stop' });
    house.reply = (userId) => (userId === 'u1' ? 'hangs' : 200);
    const file = await house.upload(endpoint, usersFile(2));
    expect(await house.settle(file)).toMatchObject({ state: 'completed', uncertain: 1 });
    const { readAtMs } = await house.find(file);
    house.world.clock.advance(20 * DAY_MS);
    house.reply = () => 503;
    await house.act(retry, file);
    await house.handleAll();
    expect((await deliveryOf(file, 'u1')).createdAtMs).toBe(readAtMs);
    house.reply = () => 200;
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 2 });
    expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
  });
});
