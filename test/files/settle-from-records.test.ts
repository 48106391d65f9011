import { describe, expect, it } from 'vitest';
import { saveProgress } from '../../functions/files/block.store.ts';
import { newBlock, withAttempted } from '../../functions/files/block.ts';
import { claimBlock } from '../../functions/files/block-claim.store.ts';
import { cancel } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { alertEventId } from '../../functions/files/send-alert.ts';
import { DAY_MS } from '../../functions/shared/units.ts';
import { deliveryKey } from '../../functions/webhooks/delivery.store.ts';
import type { SentMessage } from '../support/world.ts';
import { FilesHouse, usersFile } from './files-house.ts';

/** All alerts fail for good, and all notices of that get lost. */
it('a file whose notices got lost is settled look by look, each within its time', async () => {
  const house = await FilesHouse.open();
  house.reply = (userId) => (Number(userId.slice(1)) % 1_000 < 2 ? 500 : 200);
  const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
  const file = await house.upload(endpoint, usersFile(5_000));
  const isNotice = ({ queue, body }: SentMessage) =>
    queue === 'file-care' && Object.hasOwn(Object(body), 'delivery');
  for (let it = house.takeMessage(); it; it = house.takeMessage()) {
    if (!isNotice(it)) await house.handle(it);
  }
  expect(await house.find(file)).toMatchObject({ pending: 10, blocks: 5 });

  // Each reading of a block's lines takes so long that a worker has time for two blocks.
  const { bucket } = house.doors;
  const read: typeof bucket.read = async (key, range) => {
    house.world.clock.advance(12_000);
    return bucket.read(key, range);
  };
  Object.assign(house.doors, { bucket: { ...bucket, read } });
  const left: number[] = [];
  for (let now = await house.find(file); now.dueMs !== undefined; now = await house.find(file)) {
    house.world.clock.set(Math.max(now.dueMs, house.world.clock.nowMs()));
    const startedAtMs = house.world.clock.nowMs();
    await house.sweep(now);
    house.world.sent.length = 0;
    expect(house.world.clock.nowMs() - startedAtMs).toBeLessThan(75_000);
    left.push((await house.find(file)).pending);
  }

  expect(left.at(-1)).toBe(0);
  expect(left.length).toBeGreaterThan(1);
  expect(await house.find(file)).toMatchObject({ state: 'completed', failed: 10 });
});

it('a look that dies in the middle leaves the next one due', async () => {
  const house = await FilesHouse.open();
  // After a batch in which nobody is reached the block would rest, and have nothing to settle yet.
  house.reply = (userId) => (userId === 'u0' ? 200 : 500);
  const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
  const file = await house.upload(endpoint, usersFile(3));
  for (let it = house.takeMessage(); it; it = house.takeMessage()) {
    if (it.queue !== 'file-care') await house.handle(it);
  }
  const { bucket } = house.doors;
  const read = () => Promise.reject(new Error('killed'));
  Object.assign(house.doors, { bucket: { ...bucket, read } });
  const seen = await house.find(file);
  house.world.clock.set(seen.dueMs ?? 0);

  await expect(house.sweep(seen)).rejects.toThrow('killed');

  const after = await house.find(file);
  expect(after.dueMs).toBeGreaterThan(house.world.clock.nowMs());
  Object.assign(house.doors, { bucket });
  expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 1, failed: 2 });
});

describe('a file whose records and bytes are gone', () => {
  /** One of its two users is being retried, and nobody has told of it for a month. */
  async function forgotten(house: FilesHouse): Promise<AlertFile> {
    house.reply = (userId) => (userId === 'u0' ? 200 : 500);
    const file = await house.upload(await house.addEndpoint(), usersFile(2));
    await house.handleAll();
    await house.handleAll();
    const { clock, db, objects, sent } = house.world;
    const seen = await house.find(file);
    clock.set(seen.dueMs ?? 0);
    await house.sweep(seen);
    const { tenantId, endpointId } = file;
    const name = { tenantId, endpointId, eventId: alertEventId(file, 'u1') };
    await db.commit([{ kind: 'remove', table: 'deliveries', key: deliveryKey(name) }]);
    for (const key of objects.keys()) if (key.startsWith('work/')) objects.delete(key);
    sent.length = 0;
    return house.find(file);
  }

  it('counts whom it could not reach as failed, and completes', async () => {
    const house = await FilesHouse.open();
    const file = await forgotten(house);
    expect(file).toMatchObject({ state: 'delivering', delivered: 1, pending: 1 });
    house.world.clock.set((file.readAtMs ?? 0) + 33 * DAY_MS);
    await house.sweep(file);
    const done = await house.find(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 1, failed: 1, pending: 0 });
    expect(done.dueMs).toBeUndefined();
  });

  it('is looked at no more when it was cancelled', async () => {
    const house = await FilesHouse.open();
    const file = await forgotten(house);
    await house.act(cancel, file);
    await house.handleAll();
    expect(await house.find(file)).toMatchObject({ state: 'cancelled', closed: true, pending: 1 });
    house.world.clock.set((file.readAtMs ?? 0) + 33 * DAY_MS);
    await house.sweep(await house.find(file));
    const end = await house.find(file);
    expect(end).toMatchObject({ state: 'cancelled', delivered: 1, failed: 1, pending: 0 });
    expect(end.dueMs).toBeUndefined();
  });

  it('is ended also when a block was begun, and nobody came back to it', async () => {
    const house = await FilesHouse.open();
    const file = await house.upload(await house.addEndpoint({ status: 'paused' }), usersFile(3));
    await house.handleAll();
    await house.handleAll();
    const { clock, db, objects, sent } = house.world;
    const seen = await house.find(file);
    const mine = { ...newBlock(0, 3), leaseMs: clock.nowMs() + 1, token: 'req_dead' };
    expect(
      (await db.commit([claimBlock(seen, mine, { nowMs: clock.nowMs(), woken: true })])).ok,
    ).toBe(true);
    await db.commit([saveProgress(seen, withAttempted(mine, [0, 1]))]);
    for (const key of objects.keys()) if (key.startsWith('work/')) objects.delete(key);
    sent.length = 0;
    clock.set((seen.readAtMs ?? 0) + 33 * DAY_MS);
    await house.sweep(seen);
    await house.handleAll();
    const end = await house.find(file);
    expect(end).toMatchObject({ state: 'cancelled', reason: 'too_old', closed: true, pending: 0 });
    expect([end.uncertain, end.cancelled]).toEqual([2, 1]);
  });
});
