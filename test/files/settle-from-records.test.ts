import { expect, it } from 'vitest';
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
