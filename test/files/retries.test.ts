import { beforeEach, describe, expect, it } from 'vitest';
import { blockKey, findBlock } from '../../functions/files/block.store.ts';
import { claimBlock } from '../../functions/files/block-claim.store.ts';
import { retry } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { findProgress } from '../../functions/files/find-progress.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';
import { Killed } from './killed-worker.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

const askRetry = (file: AlertFile) => house.act(retry, file);

/** Why a retry is refused. */
async function refusalOf(file: AlertFile): Promise<string> {
  const error = await askRetry(file).then(
    () => undefined,
    (it: unknown) => it,
  );
  if (!(error instanceof Problem)) throw new Error('it is not refused', { cause: error });
  expect(error.code).toBe('not_retryable');
  return error.message;
}

const nameOf = ({ tenantId, id }: AlertFile) => ({ tenantId, fileId: id });

/** Handles what is to be done now, at most so often. Answers how often the file was looked at. */
async function looks(most: number): Promise<number> {
  let count = 0;
  for (let n = 0; n < most; n += 1) {
    const message = house.takeMessage();
    if (!message) break;
    if (message.queue === 'file-care' && !('index' in message.body)) count += 1;
    await house.handle(message);
  }
  return count;
}

/** A file whose users below `failing` have failed, and which a worker has in hand. */
async function heldFile(endpoint: Endpoint, failing: number): Promise<AlertFile> {
  const { clock, db } = house.world;
  let busy = 0;
  house.reply = (userId) => {
    busy += 1;
    if (Number(userId.slice(1)) < failing) return 500;
    return busy > failing ? { status: 429, retryAfter: '30' } : 200;
  };
  const file = await house.upload(endpoint, usersFile(40));
  for (let n = 0; n < 200 && (await house.find(file)).failed < failing; n += 1) {
    await looks(1);
    clock.advance(100);
  }
  const now = await house.find(file);
  const block = await findBlock(db, nameOf(file), 0);
  expect(now).toMatchObject({ state: 'delivering', failed: failing });
  if (!block || block.token) throw new Error('the block does not rest');
  const mine = { ...block, leaseMs: clock.nowMs() + MINUTE_MS, token: 'req_other' };
  expect((await db.commit([claimBlock(now, mine, { nowMs: clock.nowMs(), woken: true })])).ok).toBe(
    true,
  );
  return now;
}

/** A file at its end of whose users every second one has failed. */
async function failedFile(users: number, ratePerSecond?: number): Promise<AlertFile> {
  const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
  house.reply = (userId) => (Number(userId.slice(1)) % 2 === 0 ? 500 : 200);
  const file = await house.upload(endpoint, usersFile(users), { ratePerSecond });
  expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: users / 2 });
  house.received.length = 0;
  house.reply = () => 200;
  return house.find(file);
}

/** The doors of a worker that finds its block changed by an outcome so many times. */
function outcomesBefore(file: AlertFile, refused: { count: number }, most: number) {
  const { db } = house.doors;
  const key = blockKey(nameOf(file), 0);
  const update = 'SET sv = if_not_exists(sv, :none) + :one';
  const values = { ':none': 0, ':one': 1 };
  const commit: typeof db.commit = async (writes) => {
    if (writes.length > 20 && refused.count < most) {
      refused.count += 1;
      await db.commit([{ kind: 'update', table: 'files', key, update, values }]);
    }
    return db.commit(writes);
  };
  return { ...house.doors, db: { ...db, commit } };
}

describe('a retry', () => {
  it('leaves a block alone that a worker has, and takes no slot for it', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 }, perSecond: 50 });
    const file = await heldFile(endpoint, 10);
    house.world.sent.length = 0;
    house.received.length = 0;
    house.reply = () => 200;
    const before = await findPace(house.world.db, endpoint);
    await askRetry(file);
    expect(await looks(50), 'looks at a file of which nothing can be done').toBe(1);
    expect(house.received).toEqual([]);
    expect((await findPace(house.world.db, endpoint)).tatUs).toBe(before.tatUs);
    const { clock, sent } = house.world;
    const [next] = sent.filter(({ queue }) => queue === 'file-care');
    expect((next?.atMs ?? Infinity) - clock.nowMs(), 'when it looks again').toBe(15 * SECOND_MS);

    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 40, failed: 0, pending: 0 });
    expect([...house.copies().values()].every((copies) => copies === 1)).toBe(true);
    expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
  });

  it('sends nobody twice whose worker died and who has failed again since', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    const quarterOf = (userId: string) => Number(userId.slice(1)) % 4;
    house.reply = (userId) => (quarterOf(userId) < 2 ? 500 : 200);
    const file = await house.upload(endpoint, usersFile(120));
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 60 });
    house.received.length = 0;
    house.reply = (userId) => (quarterOf(userId) < 1 ? 500 : 200);
    await askRetry(file);
    const care = house.takeMessage();
    if (!care) throw new Error('no message');
    let commits = 0;
    const { db } = house.doors;
    const dying = {
      ...house.doors,
      db: {
        ...db,
        commit: async (writes: Parameters<typeof db.commit>[0]) => {
          commits += 1;
          if (commits > 3) throw new Killed();
          return db.commit(writes);
        },
      },
    };
    await expect(house.handle(care, dying)).rejects.toThrow(Killed);
    house.world.clock.advance(SECOND_MS);
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', failed: 30, delivered: 90, pending: 0 });
    const copies = [...house.copies().values()];
    expect([copies.length, Math.max(...copies)]).toEqual([60, 1]);
    expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
  });

  it.each([undefined, 50])('is not held up by outcomes that come in: %s a second', async (rate) => {
    const file = await failedFile(120, rate);
    await askRetry(file);
    const care = house.takeMessage();
    if (!care) throw new Error('no message');
    const refused = { count: 0 };
    await house.handle(care, outcomesBefore(file, refused, 15));
    expect(refused.count).toBe(15);
    const { failed, pending, resendFrom } = await house.find(file);
    expect({ failed, pending, resendFrom }).toEqual({ failed: 0, pending: 60 });
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 120 });
    expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
  });

  it('comes back soon where outcomes come in without end', async () => {
    const file = await failedFile(120);
    await askRetry(file);
    const care = house.takeMessage();
    if (!care) throw new Error('no message');
    await house.handle(care, outcomesBefore(file, { count: 0 }, Infinity));
    expect(await house.find(file)).toMatchObject({ failed: 60, pending: 0, resendFrom: 0 });
    const startMs = house.world.clock.nowMs();
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 120 });
    const [first] = house.received;
    expect((first?.atMs ?? Infinity) - startMs).toBeLessThanOrEqual(15 * SECOND_MS);
  });

  it('that is asked for once more while it is under way is told so', async () => {
    house.reply = (userId) => (userId === 'u1' ? 500 : 200);
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    const file = await house.upload(endpoint, usersFile(3));
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 1 });
    await askRetry(file);
    expect(await refusalOf(file)).toBe('A retry of this file is under way.');
    house.reply = () => 200;
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });
    expect(await refusalOf(file)).toBe('Nobody of this file has failed or is uncertain.');
  });

  it('is refused while all whom it would be for are in blocks that are being sent', async () => {
    const plan = { retry: { maxAttempts: 1 }, perSecond: 0.5 };
    const endpoint = await house.addEndpoint({ onUnknown: 'stop', ...plan });
    house.reply = (userId) => (userId === 'u1' ? 'hangs' : 200);
    const file = await house.upload(endpoint, usersFile(12));
    const shown = () => findProgress(house.world, nameOf(file));
    for (let n = 0; n < 100 && (await shown())?.uncertain !== 1; n += 1) {
      await house.handleAll();
      house.world.clock.advance(SECOND_MS);
    }
    expect(await shown()).toMatchObject({ state: 'delivering', failed: 0, uncertain: 1 });
    expect(await refusalOf(file)).toBe(
      'Who is uncertain (1) is in a block that is still being sent: ask again when that has ended.',
    );
    expect(await house.settle(file)).toMatchObject({ state: 'completed', uncertain: 1 });
    house.reply = () => 200;
    await askRetry(file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 12 });
  });
});
