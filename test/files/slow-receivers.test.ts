import { describe, expect, it } from 'vitest';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

/** Counts how often messages of blocks are handed to a worker, and how often one fails with it. */
function countReceives(house: FilesHouse) {
  const counts = { messages: 0, receives: 0 };
  const { handle } = house;
  house.handle = async (message, doors) => {
    if (message.queue !== 'file-blocks') return handle.call(house, message, doors);
    counts.messages += 1;
    // A message that a worker fails with comes again, as from the queue.
    for (;;) {
      counts.receives += 1;
      try {
        return await handle.call(house, message, doors);
      } catch (error) {
        if (counts.receives > 10 * counts.messages) throw error;
      }
    }
  };
  return counts;
}

/** The shortest time within which so many alerts came, one behind the other. */
function shortestMs(timesMs: readonly number[], alerts: number): number {
  const spans = timesMs.slice(alerts - 1).map((atMs, i) => atMs - (timesMs[i] ?? 0));
  return spans.reduce((a, b) => Math.min(a, b), Infinity);
}

/** Each storing of who is about to be alerted takes as long as it says for its number. */
function slowStores(house: FilesHouse, stallMs: (nth: number) => number) {
  const { handle, world } = house;
  let stores = 0;
  const commit: typeof world.db.commit = async (writes) => {
    const done = await world.db.commit(writes);
    if (JSON.stringify(writes).includes('#att')) world.clock.advance(stallMs(stores++));
    return done;
  };
  const doors = { ...house.doors, db: { ...world.db, commit } };
  house.handle = (message) => handle.call(house, message, doors);
}

describe('a database that stalls between the slots and the sends', () => {
  it('lets no slots bunch up behind it: others are taken', async () => {
    const house = await FilesHouse.open();
    slowStores(house, (nth) => (nth % 7 === 3 ? 1_900 : 0));
    const endpoint = await house.addEndpoint({ perSecond: 0.5 });
    const file = await house.upload(endpoint, usersFile(30));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: 30, pending: 0 });
    expect([...house.copies().values()].every((copies) => copies === 1)).toBe(true);
    const timesMs = house.received.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    expect(shortestMs(timesMs, 2)).toBeGreaterThanOrEqual(1_800);
    expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
  });

  it('makes nobody wait for ever if it always does', async () => {
    const house = await FilesHouse.open();
    slowStores(house, () => 1_900);
    const endpoint = await house.addEndpoint({ perSecond: 0.5 });
    const file = await house.upload(endpoint, usersFile(10));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: 10, pending: 0 });
    expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
  });
});

describe('a slow receiver', () => {
  it.each([
    ['50 a second', 50, 3_000, { windows: [26, 101], messagesMax: 60 }],
    // Whoever waits for two seconds gives the block back: its time costs more than a message.
    ['one in two seconds', 0.5, 300, { windows: [2, 26, 101], messagesMax: 305 }],
  ])(
    'of %s is alerted at its pace, everybody once',
    async (_what, perSecond, users, { windows, messagesMax }) => {
      const house = await FilesHouse.open();
      const counts = countReceives(house);
      const endpoint = await house.addEndpoint({ perSecond });
      const file = await house.upload(endpoint, usersFile(users));

      const done = await house.settle(file);

      expect(done).toMatchObject({ state: 'completed', delivered: users, pending: 0 });
      expect([...house.copies().values()].every((copies) => copies === 1)).toBe(true);
      expect(house.copies().size).toBe(users);
      const timesMs = house.received.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
      for (const alerts of windows) {
        const leastMs = ((alerts - 1) * 1_000) / perSecond;
        expect(shortestMs(timesMs, alerts), `${alerts} alerts`).toBeGreaterThanOrEqual(leastMs - 1);
      }
      const tookMs = (timesMs.at(-1) ?? 0) - (timesMs[0] ?? 0);
      expect(tookMs).toBeLessThan((1.05 * users * 1_000) / perSecond);
      expect(counts.receives / counts.messages).toBeLessThanOrEqual(1.05);
      expect(counts.messages).toBeLessThanOrEqual(messagesMax);
      expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
    },
  );
});
