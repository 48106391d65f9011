import { beforeEach, describe, expect, it } from 'vitest';
import { pause, resume } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { SECOND_MS } from '../../functions/shared/units.ts';
import type { World } from '../../functions/shared/world.ts';
import { intervalMs } from '../../functions/webhooks/pace.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';
import { Killed } from './killed-worker.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

/**
 * A file with a limit of its own. `behind` is done behind each of its alerts, by their number; a
 * worker that it kills stores nothing more.
 */
async function limitedFile(
  { rate, users }: { readonly rate: number; readonly users: number },
  behind: (nth: number, file: AlertFile) => Promise<void>,
): Promise<AlertFile> {
  // Beside the limit of its endpoint, a file of two a second alerts one at a time.
  const endpoint = await house.addEndpoint({ perSecond: 50 });
  const file = await house.upload(endpoint, usersFile(users), { ratePerSecond: rate });
  const { handle } = house;
  const { db, http } = house.doors;
  house.handle = async (message) => {
    let isDead = false;
    const post: World['http']['post'] = async (request) => {
      const answered = http.post(request);
      await behind(house.received.length, file).catch((error: unknown) => {
        isDead = true;
        throw error;
      });
      return answered;
    };
    const commit: World['db']['commit'] = async (writes) => {
      if (isDead) throw new Killed();
      return db.commit(writes);
    };
    const doors = { ...house.doors, db: { ...db, commit }, http: { ...http, post } };
    await handle.call(house, message, doors).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
  };
  return file;
}

/** Everybody is alerted, and nobody sooner behind another than the rate of the file allows. */
async function expectPaced(file: AlertFile, rate: number, users: number): Promise<void> {
  expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: users });
  expect(house.copies().size).toBe(users);
  const timesMs = house.received.map(({ atMs }) => atMs);
  const gaps = timesMs.slice(1).map((atMs, i) => atMs - (timesMs[i] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(intervalMs(rate)));
  expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
}

describe('a file with a limit of its own keeps it', () => {
  it.each([
    ['that waits within its worker', 0.5],
    ['whose worker rests in between', 0.1],
    ['of several a second', 2],
  ])('over a pause and a resume in quick succession: one %s', async (_what, rate) => {
    const file = await limitedFile({ rate, users: 20 }, async (nth, it) => {
      if (nth === 6) await house.act(pause, it);
    });
    await runUntilPaused(file);
    await house.act(resume, file);
    await expectPaced(file, rate, 20);
  });

  it('over a pause between two blocks', async () => {
    const file = await limitedFile({ rate: 2, users: 1_003 }, async (nth, it) => {
      if (nth === 1_000) await house.act(pause, it);
    });
    await runUntilPaused(file);
    await house.act(resume, file);
    await expectPaced(file, 2, 1_003);
  });

  it('behind a worker that died', async () => {
    const file = await limitedFile({ rate: 0.01, users: 6 }, async (nth) => {
      if (nth === 3) throw new Killed();
    });
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 6 });
    const timesMs = house.received.map(({ atMs }) => atMs);
    // The third comes twice: nobody knows what became of it.
    expect(timesMs).toHaveLength(7);
    const gaps = timesMs.slice(1).map((atMs, i) => atMs - (timesMs[i] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(intervalMs(0.01)));
  });
});

describe('a file whose block rests while it is paused', () => {
  it.each([0.4, 0.2, 0.02])('goes on at once when it is resumed: %d a second', async (rate) => {
    const file = await limitedFile({ rate, users: 6 }, async () => undefined);
    const { clock } = house.world;
    await runUntil(async () => house.received.length >= 3);
    await house.act(pause, file);
    // The message of the block comes in between, and is not taken.
    clock.advance(Math.ceil(intervalMs(rate)) + 5 * SECOND_MS);
    await house.handleAll();
    const resumedMs = clock.nowMs();
    await house.act(resume, file);
    await expectPaced(file, rate, 6);
    expect((house.received[3]?.atMs ?? 0) - resumedMs).toBeLessThan(SECOND_MS);
  });

  it.each([
    [0.2, undefined],
    [undefined, 0.2],
  ])('goes on where its message came a little early: %s a second, %s', async (rate, perSecond) => {
    const endpoint = await house.addEndpoint({ perSecond });
    const file = await house.upload(endpoint, usersFile(6), { ratePerSecond: rate });
    const { clock, sent } = house.world;
    const next = () => sent.find(({ queue }) => queue === 'file-blocks');
    await runUntil(async () => house.received.length === 3 && next() !== undefined);
    const message = next();
    if (!message?.atMs) throw new Error('no block rests');
    // A queue delays by whole seconds, rounded down.
    clock.set(message.atMs - 700);
    await house.act(pause, file);
    sent.splice(sent.indexOf(message), 1);
    await house.handle(message);
    clock.set(message.atMs - 300);
    await house.act(resume, file);
    const resumedMs = clock.nowMs();
    await runUntil(async () => house.received.length === 4);
    expect(clock.nowMs() - resumedMs).toBeLessThan(15 * SECOND_MS);
  });
});

/** Does what comes until the file is paused, and no more. */
async function runUntilPaused(file: AlertFile): Promise<void> {
  await runUntil(async () => (await house.find(file)).state === 'paused');
}

/** Does what comes until it is so, and what is to be done at that moment. */
async function runUntil(isSo: () => Promise<boolean>): Promise<void> {
  await house.runUntil(isSo);
  await house.handleAll();
}
