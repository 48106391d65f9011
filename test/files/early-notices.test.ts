import { beforeEach, describe, expect, it } from 'vitest';
import { findBlock } from '../../functions/files/block.store.ts';
import { claimBlock } from '../../functions/files/block-claim.store.ts';
import { pause, resume } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { findProgress } from '../../functions/files/find-progress.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Db, Write } from '../../functions/shared/world.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import type { SentMessage } from '../support/world.ts';
import { FilesHouse, usersFile } from './files-house.ts';
import { Killed } from './killed-worker.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

const nameOf = ({ tenantId, id }: AlertFile) => ({ tenantId, fileId: id });

const isNotice = ({ queue, body }: SentMessage) =>
  queue === 'file-care' && Object.hasOwn(Object(body), 'delivery');

/** What a worker stores of the block that it has. */
const isProgress = ([write]: readonly Write[]) =>
  write?.kind === 'update' && write.table === 'files' && ':mine' in (write.values ?? {});

/**
 * A paused file whose worker died after it had recorded who failed, and before the block heard of
 * it. Answers also what the worker would have stored.
 */
async function died(users: number): Promise<{ file: AlertFile; lost: readonly Write[] }> {
  const file = await house.upload(await house.addEndpoint(), usersFile(users));
  await house.handleAll();
  const [message] = house.world.sent.splice(0);
  if (!message) throw new Error('no message');
  const { db } = house.doors;
  let lost: readonly Write[] = [];
  const commit: Db['commit'] = async (writes) => {
    if (house.received.length === 0 || !isProgress(writes)) return db.commit(writes);
    lost = writes;
    throw new Killed();
  };
  const doors = { ...house.doors, db: { ...db, commit } };
  await expect(house.handle(message, doors)).rejects.toThrow(Killed);
  await house.act(pause, file);
  return { file, lost };
}

/** Handles what comes in this time, without the sweeper. Answers how many notices there were. */
async function run(ms: number): Promise<number> {
  const { clock } = house.world;
  const endMs = clock.nowMs() + ms;
  let notices = 0;
  while (clock.nowMs() < endMs) {
    const message = house.takeMessage();
    if (message && isNotice(message)) notices += 1;
    if (message) await house.handle(message);
    else clock.advance(SECOND_MS / 2);
  }
  return notices;
}

/** Runs until the first notice, which is not handled. */
async function firstNotice(): Promise<SentMessage> {
  for (let n = 0; n < 1_000; n += 1) {
    const message = house.takeMessage();
    if (message && isNotice(message)) return message;
    if (message) await house.handle(message);
    else house.world.clock.advance(SECOND_MS / 2);
  }
  throw new Error('no notice');
}

async function violations(): Promise<string[]> {
  return checkFiles(await takeSnapshot(house.world.client, house.world.tables));
}

/** Three users of the first batch fail once; the retries reach them. */
function failThree(): void {
  house.reply = (userId, nth) => (nth === 1 && /^u[123]$/.test(userId) ? 500 : 200);
}

describe('notices of a paused file whose worker died', () => {
  it('are counted from the records when the worker is certainly dead', async () => {
    house.reply = (_userId, nth) => (nth === 1 ? 500 : 200);
    const { file } = await died(3);
    expect(await run(HOUR_MS)).toBeLessThan(3 * 10);
    expect(await house.find(file)).toMatchObject({ state: 'completed', delivered: 3, pending: 0 });
    expect([...house.copies().values()]).toEqual([2, 2, 2]);
    expect(house.world.sent.filter(isNotice)).toEqual([]);
    expect(await violations()).toEqual([]);
  });

  it('count each user once, also when the file goes on later', async () => {
    failThree();
    const { file } = await died(40);
    await run(10 * MINUTE_MS);
    const shown = await findProgress(house.world, nameOf(file));
    expect(shown).toMatchObject({ state: 'paused', delivered: 3, pending: 37 });

    await house.act(resume, file);
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 40, pending: 0, uncertain: 0 });
    // The retried ones got it at the retry, the others of that batch as marked repeats.
    const twice = [...house.copies()].filter(([, copies]) => copies > 1);
    expect(twice.length).toBeLessThanOrEqual(25);
    const repeats = house.received.slice(28).filter((it) => !it.possibleDuplicate);
    expect(new Set(repeats.map((it) => it.userId)).size).toBe(repeats.length);
    expect(await violations()).toEqual([]);
  });

  it('that come many times at once count once', async () => {
    failThree();
    const { file } = await died(40);
    const notice = await firstNotice();
    house.world.clock.advance(2 * MINUTE_MS);
    const copies = Array.from({ length: 5 }, () => house.handle(notice));
    await Promise.all(copies);
    expect(await house.find(file)).toMatchObject({ delivered: 1, pending: 39 });
    await house.act(resume, file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 40 });
    expect(await violations()).toEqual([]);
  });

  it('that got lost are made up for by the next look at the file', async () => {
    failThree();
    const { file } = await died(40);
    const { clock, sent } = house.world;
    for (let n = 0; n < 3; n += 1) await firstNotice();
    expect(sent.filter(isNotice)).toEqual([]);
    const seen = await house.find(file);
    clock.set(Math.max(clock.nowMs(), seen.dueMs ?? 0));
    await house.sweep(seen);
    expect(await house.find(file)).toMatchObject({ state: 'paused', delivered: 3, pending: 37 });
    await house.act(resume, file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 40 });
    expect(await violations()).toEqual([]);
  });

  it('are settled by the worker that takes the block in the same moment', async () => {
    failThree();
    const { file } = await died(40);
    const notice = await firstNotice();
    house.world.clock.advance(2 * MINUTE_MS);
    await house.act(resume, file);
    house.world.sent.length = 0;
    const { db } = house.doors;
    let taken = false;
    const commit: Db['commit'] = async (writes) => {
      // It has read the block; before it writes, another one has the block and sends it.
      if (!taken) {
        taken = true;
        const body = { v: 1, tenant: file.tenantId, file: file.id, block: 0 };
        await house.handle({ queue: 'file-blocks', body });
      }
      return db.commit(writes);
    };
    await house.handle(notice, { ...house.doors, db: { ...db, commit } });
    expect(taken).toBe(true);
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 40, pending: 0, failed: 0 });
    expect(await violations()).toEqual([]);
  });

  it('keep a worker that was only frozen from writing over them', async () => {
    failThree();
    const { file, lost } = await died(40);
    await run(5 * MINUTE_MS);
    expect(lost).toHaveLength(1);
    expect(await house.doors.db.commit(lost)).toMatchObject({ ok: false });
    await house.act(resume, file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 40 });
    expect(await violations()).toEqual([]);
  });
});

describe('a notice that comes while a worker has the block', () => {
  it('waits for two seconds, and longer each time until the lease is over', async () => {
    failThree();
    const { file } = await died(40);
    let notice = await firstNotice();
    const { clock, db, sent } = house.world;
    const block = await findBlock(db, nameOf(file), 0);
    if (!block) throw new Error('no block');
    clock.set((block.leaseMs ?? 0) + 1);
    const mine = { ...block, leaseMs: clock.nowMs() + 10 * MINUTE_MS, token: 'req_other' };
    expect((await db.commit([claimBlock(file, mine, { nowMs: clock.nowMs() })])).ok).toBe(true);
    const waits: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      sent.length = 0;
      await house.handle(notice);
      notice = sent.find(isNotice) ?? notice;
      waits.push(((notice.atMs ?? 0) - clock.nowMs()) / SECOND_MS);
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
    expect(await house.find(file)).toMatchObject({ pending: 40 });
  });

  it('of which nothing is on record ends', async () => {
    failThree();
    const { file } = await died(40);
    const notice = await firstNotice();
    house.world.clock.advance(2 * MINUTE_MS);
    house.world.sent.length = 0;
    const { db } = house.doors;
    const get: Db['get'] = (table, key) =>
      table === 'deliveries' ? Promise.resolve(undefined) : db.get(table, key);
    await house.handle(notice, { ...house.doors, db: { ...db, get } });
    expect(house.world.sent.filter(isNotice)).toEqual([]);
    expect(await house.find(file)).toMatchObject({ pending: 40 });
  });
});
