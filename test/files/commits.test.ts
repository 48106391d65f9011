import { beforeEach, describe, expect, it } from 'vitest';
import { cancel, pause, resume, retry } from '../../functions/files/change-state.ts';
import { Problem } from '../../functions/shared/problem.ts';
import type { Db, Write } from '../../functions/shared/world.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

/** The doors with what happens right before each commit, which may also be kept from happening. */
function meddling(before: (writes: readonly Write[]) => Promise<'refuse' | undefined>) {
  const { db } = house.doors;
  const commit: Db['commit'] = async (writes) => {
    if ((await before(writes)) !== 'refuse') return db.commit(writes);
    return { ok: false, reasons: [{ code: 'conflict' }] };
  };
  return { ...house.doors, db: { ...db, commit } };
}

const tells = (writes: readonly Write[], type: string) =>
  writes.some((it) => it.kind === 'put' && it.item.type === type);

const violations = async () =>
  checkFiles(await takeSnapshot(house.world.client, house.world.tables));

describe('a retry that is asked for', () => {
  it('in the moment in which the last outcome comes is not lost', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = (userId, nth) => (userId !== 'u2' && nth === 1 ? 500 : 200);
    const file = await house.upload(endpoint, usersFile(3));
    let asked = 0;
    const doors = meddling(async (writes) => {
      if (asked === 0 && tells(writes, 'file.completed')) {
        asked += 1;
        await house.act(retry, file);
      }
      return undefined;
    });
    for (let now = file; asked === 0 && now.dueMs !== undefined; now = await house.find(file)) {
      const message = house.takeMessage();
      if (message) await house.handle(message, doors);
      else house.world.clock.advance(1_000);
    }
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 3, failed: 0, pending: 0 });
    expect(await violations()).toEqual([]);
  });

  it.each([
    ['cancel', cancel, 'cancelled', 25],
    ['pause', pause, 'paused', 25],
  ])('begins with nobody more after a %s', async (_verb, route, state, begun) => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = (userId) => (Number(userId.slice(1)) % 4 < 2 ? 500 : 200);
    const file = await house.upload(endpoint, usersFile(120));
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 60 });
    house.received.length = 0;
    house.reply = () => 200;
    await house.act(retry, file);
    const care = house.takeMessage();
    if (!care) throw new Error('no message');
    let reopened = 0;
    const isReopening = (it: Write) => it.kind === 'update' && ':again' in (it.values ?? {});
    const doors = meddling(async (writes) => {
      if (!writes.some(isReopening)) return undefined;
      reopened += 1;
      if (reopened === 2) await house.act(route, file);
      return undefined;
    });
    await house.handle(care, doors);
    await house.handleAll();
    await house.handleAll();
    expect(await house.find(file)).toMatchObject({ state });
    expect(house.copies().size).toBe(begun);
    if (state === 'paused') await house.act(resume, file);
    const done = await house.settle(file);
    const again = state === 'paused' ? 60 : begun;
    expect(done).toMatchObject({ delivered: 60 + again, failed: 60 - again, pending: 0 });
    expect([...house.copies().values()].every((copies) => copies === 1)).toBe(true);
    expect(await violations()).toEqual([]);
  });
});

it('a worker that cannot count its block keeps what it knows of the last batch', async () => {
  const file = await house.upload(await house.addEndpoint({ onUnknown: 'stop' }), usersFile(60));
  await house.handleAll();
  const message = house.takeMessage();
  if (!message) throw new Error('no message');
  const isCounting = (it: Write) => it.kind === 'update' && ':delivered' in (it.values ?? {});
  const doors = meddling(async (writes) => (writes.some(isCounting) ? 'refuse' : undefined));
  await expect(house.handle(message, doors)).rejects.toThrow('Too many blocks');
  expect(house.received).toHaveLength(60);
  const done = await house.settle(file);
  expect(done).toMatchObject({ state: 'completed', delivered: 60, uncertain: 0 });
  expect(house.received).toHaveLength(60);
});

it('a worker that fails between two batches keeps what it knows of the first', async () => {
  const endpoint = await house.addEndpoint({ onUnknown: 'stop', perSecond: 5_000 });
  const file = await house.upload(endpoint, usersFile(60));
  await house.handleAll();
  const message = house.takeMessage();
  if (!message) throw new Error('no message');
  const { db } = house.world;
  const get: typeof db.get = (table, key) => {
    if (table === 'endpoints' && house.received.length > 0) throw new Problem('unavailable');
    return db.get(table, key);
  };
  const doors = { ...house.doors, db: { ...db, get } };
  await expect(house.handle(message, doors)).rejects.toThrow();
  const begun = house.received.length;
  expect(begun).toBeGreaterThan(0);
  expect(begun).toBeLessThan(60);
  const done = await house.settle(file);
  expect(done).toMatchObject({ state: 'completed', delivered: 60, uncertain: 0 });
  expect([...house.copies().values()].every((copies) => copies === 1)).toBe(true);
});

it('a file is not read anew because another one was stored at the same moment', async () => {
  const file = await house.upload(await house.addEndpoint(), usersFile(3));
  const message = house.takeMessage();
  if (!message) throw new Error('no message');
  let met = 0;
  const doors = meddling(async (writes) => {
    if (!tells(writes, 'file.ready')) return undefined;
    met += 1;
    return met === 1 ? 'refuse' : undefined;
  });
  await house.handle(message, doors);
  expect(await house.find(file)).toMatchObject({ state: 'delivering', readings: 1 });
});
