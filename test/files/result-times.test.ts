import { beforeEach, expect, it } from 'vitest';
import { cancel, pause } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { listResults } from '../../functions/files/list-results.ts';
import { listResultsRoute } from '../../functions/files/result.contract.ts';
import { exportFile } from '../../functions/files/save-export.ts';
import type { Call, Contract } from '../../functions/shared/http/route.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

async function list(file: AlertFile, query: object = {}) {
  const parsed = listResultsRoute.query.parse({ limit: '100', ...query });
  const call = { tenantId: file.tenantId, params: { id: file.id }, query: parsed };
  const answer = await listResults.answer(call as unknown as Call<Contract>, house.doors);
  return listResultsRoute.reply.schema.parse(answer.body).data;
}

/** The lines of an export, as they are. */
async function exported(file: AlertFile) {
  const body = { what: 'results' };
  const call = { tenantId: file.tenantId, params: { id: file.id }, body };
  const downloads = { presignGet: async (key: string) => key };
  const world = { ...house.doors, downloads };
  const answer = await exportFile.answer(call as unknown as Call<Contract>, world);
  const key = (answer.body as { url: string }).url;
  const lines = Buffer.from(house.world.objects.get(key) ?? []).toString();
  return lines.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []));
}

/** When each copy of a user's alert arrived. */
const timesOf = (userId: string) =>
  house.received.filter((it) => it.userId === userId).map((it) => it.atMs);

/** The worker of the first block, which is told to pause at its first send. */
async function pauseInFirstBatch(users: number): Promise<AlertFile> {
  const file = await house.upload(await house.addEndpoint(), usersFile(users));
  await house.handleAll();
  const { http } = house.doors;
  let paused = false;
  const post: typeof http.post = async (request) => {
    if (!paused) {
      paused = true;
      await house.act(pause, file);
    }
    return http.post(request);
  };
  const message = house.takeMessage();
  if (!message) throw new Error('no message');
  await house.handle(message, { ...house.doors, http: { ...http, post } });
  return file;
}

it('the time of a result is that of the retry that reached the user', async () => {
  const retryPlan = { maxAttempts: 4, scheduleSeconds: [3_600] };
  const endpoint = await house.addEndpoint({ perSecond: 0.5, retry: retryPlan });
  house.reply = (userId, nth) => (userId === 'u3' && nth === 1 ? 500 : 200);
  const file = await house.upload(endpoint, usersFile(100));
  expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 100 });
  const [firstMs = 0, secondMs = 0] = timesOf('u3');
  expect(secondMs - firstMs).toBeGreaterThan(HOUR_MS / 2);
  for (const rows of [await list(file), await exported(file)]) {
    const shown = rows.find((it) => it.userId === 'u3');
    expect(shown).toEqual({ userId: 'u3', row: 4, status: 'delivered', at: expect.any(String) });
    const atMs = Date.parse(shown?.at ?? '');
    expect(Math.abs(atMs - secondMs)).toBeLessThan(5 * SECOND_MS);
  }
});

it('the time of who was reached at once is when a worker last took up the block', async () => {
  const endpoint = await house.addEndpoint({ perSecond: 0.5 });
  const file = await house.upload(endpoint, usersFile(100));
  for (let n = 0; n < 900 && house.received.length < 60; n += 1) {
    await house.handleAll();
    house.world.clock.advance(SECOND_MS);
  }
  const rows = await list(file);
  const alerted = rows.filter((it) => it.status === 'delivered');
  expect(alerted.length).toBeGreaterThan(50);
  expect(alerted.length).toBeLessThan(100);
  // The attempt came before that, or within the life of a worker after it.
  for (const { userId, at = '' } of alerted) {
    const [sentMs = Infinity] = timesOf(userId);
    expect(sentMs - Date.parse(at)).toBeLessThanOrEqual(65 * SECOND_MS);
  }
  const waiting = rows.filter((it) => it.status === 'pending' && timesOf(it.userId).length === 0);
  expect(waiting.length).toBeGreaterThan(0);
  expect(waiting.filter((it) => it.at !== undefined)).toEqual([]);
});

it('whom nobody has tried to reach has no time, neither pending nor cancelled', async () => {
  const file = await pauseInFirstBatch(60);
  const told = await list(file, { status: 'pending' });
  expect(told).toHaveLength(60 - house.received.length);
  expect(told.filter((it) => it.at !== undefined)).toEqual([]);

  house.world.clock.advance(5 * HOUR_MS);
  await house.act(cancel, file);
  expect((await house.settle(file)).state).toBe('cancelled');
  const cancelled = await list(file, { status: 'cancelled' });
  expect(cancelled).toHaveLength(60 - house.received.length);
  expect(cancelled.filter((it) => it.at !== undefined)).toEqual([]);
  const rows = await exported(file);
  expect(rows.map((it) => it.at !== undefined)).toEqual(
    rows.map((it) => it.status === 'delivered'),
  );
  const [{ at = '' } = {}] = await list(file, { status: 'delivered' });
  const [sentMs = 0] = timesOf('u0');
  expect(Math.abs(Date.parse(at) - sentMs)).toBeLessThanOrEqual(MINUTE_MS);
});

it('a page asks for the records of those who may have one, and of nobody else', async () => {
  house.reply = (userId, nth) => (Number(userId.slice(1)) % 10 === 3 && nth === 1 ? 500 : 200);
  const file = await house.upload(await house.addEndpoint(), usersFile(100));
  expect(await house.settle(file)).toMatchObject({ delivered: 100 });
  const asked: number[] = [];
  const { db } = house.doors;
  const getAll: typeof db.getAll = (keys) => {
    asked.push(keys.length);
    return db.getAll(keys);
  };
  Object.assign(house.doors, { db: { ...db, getAll } });
  expect(await list(file)).toHaveLength(100);
  expect(asked).toEqual([10]);
});
