import { beforeEach, describe, expect, it } from 'vitest';
import type { AlertFile } from '../../functions/files/file.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';
import { Killed } from './killed-worker.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

/** The worker of the first block dies after its sends, and nothing of them is in the block. */
async function killAfterSends(): Promise<void> {
  const parse = house.takeMessage();
  if (parse) await house.handle(parse);
  const message = house.takeMessage();
  if (message?.queue !== 'file-blocks') throw new Error('no block');
  const { bucket, db } = house.doors;
  let isDead = false;
  const put = () => {
    isDead = true;
    return Promise.reject(new Killed());
  };
  const commit: typeof db.commit = (writes) =>
    isDead ? Promise.reject(new Killed()) : db.commit(writes);
  const doors = { ...house.doors, bucket: { ...bucket, put }, db: { ...db, commit } };
  await expect(house.handle(message, doors)).rejects.toThrow(Killed);
}

/** For each copy that this user got, whether it said that it may be one. */
function marksOf(userId: string): boolean[] {
  return house.received.filter((it) => it.userId === userId).map((it) => it.possibleDuplicate);
}

async function expectInvariants(): Promise<void> {
  const snapshot = await takeSnapshot(house.world.client, house.world.tables);
  expect(checkFiles(snapshot)).toEqual([]);
}

describe('a user whose failure a dead worker recorded', () => {
  it.each(['resend', 'stop'] as const)('gets no copy but the retries: %s', async (onUnknown) => {
    house.reply = (userId, nth) => (userId === 'u1' && nth === 1 ? 500 : 200);
    const file = await house.upload(await house.addEndpoint(), usersFile(3), { onUnknown });
    await killAfterSends();

    const done = await house.settle(file);

    expect(marksOf('u1')).toEqual([false, false]);
    const others = onUnknown === 'stop' ? { delivered: 1, uncertain: 2 } : { delivered: 3 };
    expect(done).toMatchObject({ state: 'completed', pending: 0, ...others });
    await expectInvariants();
  });
});

describe('a copy', () => {
  it.each<[string, 500 | { status: number; retryAfter: string } | 'hangs']>([
    ['met a receiver that is too busy', { status: 429, retryAfter: '1' }],
    ['failed', 500],
    ['may have arrived', 'hangs'],
  ])('says that it is one also after one that %s', async (_what, second) => {
    house.reply = (userId, nth) => (userId === 'u1' && nth === 2 ? second : 200);
    const file = await house.upload(await house.addEndpoint(), usersFile(3));
    await killAfterSends();

    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });

    expect(marksOf('u1')).toEqual([false, true, true]);
    await expectInvariants();
  });

  it('says that it is one also after one that was given up', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(3));
    await killAfterSends();
    const { http } = house.doors;
    let isGivenUp = false;
    const post: typeof http.post = async (request) => {
      if (isGivenUp) return http.post(request);
      isGivenUp = true;
      return { kind: 'abandoned', ms: 0 };
    };
    Object.assign(house.doors, { http: { ...http, post } });

    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });

    expect(isGivenUp).toBe(true);
    for (const userId of ['u0', 'u1', 'u2']) expect(marksOf(userId)).toEqual([false, true]);
  });
});

describe('what the file wants after an unknown outcome', () => {
  /** The first attempt of u1 fails, and nobody knows what became of its first retry. */
  async function retryUnknown(wanted: {
    readonly file: AlertFile['onUnknown'];
    readonly endpoint: AlertFile['onUnknown'];
  }): Promise<AlertFile> {
    const replies = [500, 'hangs', 200] as const;
    house.reply = (userId, nth) => (userId === 'u1' ? (replies[nth - 1] ?? 200) : 200);
    const endpoint = await house.addEndpoint({ onUnknown: wanted.endpoint });
    const given = { onUnknown: wanted.file };
    return house.settle(await house.upload(endpoint, usersFile(3), given));
  }

  it('binds its retries too: stop', async () => {
    const done = await retryUnknown({ file: 'stop', endpoint: 'resend' });
    expect(marksOf('u1')).toEqual([false, false]);
    expect(done).toMatchObject({ state: 'completed', delivered: 2, uncertain: 1 });
  });

  it('binds its retries too: resend', async () => {
    const done = await retryUnknown({ file: 'resend', endpoint: 'stop' });
    expect(marksOf('u1')).toEqual([false, false, true]);
    expect(done).toMatchObject({ state: 'completed', delivered: 3, uncertain: 0 });
  });
});
