import { beforeEach, describe, expect, it } from 'vitest';
import { retry } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { CareMessage, takeCare } from '../../functions/files/take-care.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { World } from '../../functions/shared/world.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { intervalMs } from '../../functions/webhooks/pace.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { until } from '../support/until.ts';
import { FilesHouse, usersFile } from './files-house.ts';
import { Killed } from './killed-worker.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

interface Limits {
  readonly rate?: number;
  readonly perSecond?: number | undefined;
}

interface Users extends Limits {
  readonly users: number;
  /** Whose alerts fail at first. */
  readonly fails: (nth: number) => boolean;
}

/** Not all of them: that would open the breaker of the endpoint. */
const EVERY_SECOND = (nth: number) => nth % 2 === 0;
const BETWEEN = (nth: number) => EVERY_SECOND(nth) && nth >= 940 && nth < 1_060;

/** A file at its end, some of whose users have failed; its receiver is well again. */
async function failedFile({ users, fails, rate, perSecond }: Users): Promise<AlertFile> {
  const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 }, perSecond });
  house.reply = (userId) => (fails(Number(userId.slice(1))) ? 500 : 200);
  const file = await house.upload(endpoint, usersFile(users));
  const done = await house.settle(file);
  const failed = Array.from({ length: users }, (_, nth) => nth).filter(fails).length;
  expect(done).toMatchObject({ state: 'completed', failed, delivered: users - failed });
  house.reply = () => 200;
  house.received.length = 0;
  house.world.sent.length = 0;
  if (rate === undefined) return done;
  await setRate(file, rate);
  return house.find(file);
}

async function setRate({ tenantId, id }: AlertFile, rate: number): Promise<void> {
  const change = { update: 'SET ratePerSecond = :rate', values: { ':rate': rate } };
  const key = { pk: `${tenantId}#${id}`, sk: '#' };
  await house.world.db.commit([{ kind: 'update', table: 'files', key, ...change }]);
}

const askRetry = (file: AlertFile) => house.act(retry, file);

function nextCare() {
  const message = house.takeMessage();
  if (message?.queue !== 'file-care') throw new Error('nobody is told to send again');
  return message;
}

/** All were sent once, by no more than so many a second, and hardly slower but for a break. */
async function expectPaced(file: AlertFile, users: number, rate: number, breakMs = 0) {
  expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 0, pending: 0 });
  const copies = [...house.copies().values()];
  expect([copies.length, Math.max(...copies)]).toEqual([users, 1]);
  const gaps = gapsMs();
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(intervalMs(rate)));
  expect(busiestSecond()).toBeLessThanOrEqual(Math.max(1, rate));
  expect(tookMs()).toBeLessThanOrEqual((users - 1) * intervalMs(rate) * 1.1 + 100 + breakMs);
  expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
}

function timesMs(): number[] {
  return house.received.map(({ atMs }) => atMs).sort((a, b) => a - b);
}

function gapsMs(): number[] {
  const times = timesMs();
  return times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0));
}

function tookMs(): number {
  return gapsMs().reduce((sum, it) => sum + it, 0);
}

/** How many alerts came within any second at most. */
function busiestSecond(): number {
  const times = timesMs();
  const within = (fromMs: number) =>
    times.filter((it) => it >= fromMs && it < fromMs + SECOND_MS).length;
  return Math.max(...times.map(within));
}

/** The doors of a worker to whom something happens when it commits. */
function committing(happens: (nth: number) => void) {
  const { db } = house.doors;
  let commits = 0;
  const commit: World['db']['commit'] = async (writes) => {
    commits += 1;
    happens(commits);
    return db.commit(writes);
  };
  return { ...house.doors, db: { ...db, commit } };
}

/** The doors of workers whose claims are all stored at one moment. */
function holdingClaims() {
  const { db } = house.doors;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let claims = 0;
  const commit: World['db']['commit'] = async (writes) => {
    if (JSON.stringify(writes).includes('"inflight"')) {
      claims += 1;
      await released;
    }
    return db.commit(writes);
  };
  return { doors: { ...house.doors, db: { ...db, commit } }, held: async () => claims, release };
}

describe('a retry of a file with a rate of its own', () => {
  it.each([
    [2, undefined, 30],
    [0.5, undefined, 30],
    [40, undefined, 60],
    [2, 50, 30],
    [20, 100, 30],
    [10, 2, 30],
    [5, 5, 30],
  ])('of %d per second keeps it beside %s of its endpoint', async (rate, perSecond, users) => {
    const file = await failedFile({ rate, perSecond, users: 2 * users, fails: EVERY_SECOND });
    await askRetry(file);
    await expectPaced(file, users, Math.min(rate, perSecond ?? Infinity));
  });

  it('keeps it over two blocks', async () => {
    const file = await failedFile({ rate: 20, users: 1_100, fails: BETWEEN });
    await askRetry(file);
    await expectPaced(file, 60, 20);
  });

  it('keeps it when a worker dies between two batches', async () => {
    const file = await failedFile({ rate: 2, users: 120, fails: EVERY_SECOND });
    await askRetry(file);
    const dying = committing((nth) => {
      // The look, two to begin the pace, and the first batch.
      if (nth > 4) throw new Killed();
    });
    await expect(house.handle(nextCare(), dying)).rejects.toThrow(Killed);
    expect((await house.find(file)).pending).toBe(25);
    await expectPaced(file, 60, 2, MINUTE_MS);
  });

  it('keeps it in a later step', async () => {
    const file = await failedFile({ rate: 20, users: 1_100, fails: BETWEEN });
    await askRetry(file);
    const slow = committing(() => house.world.clock.advance(100));
    const deadlineMs = house.world.clock.nowMs() + 20 * SECOND_MS + 200;
    await takeCare(CareMessage.parse(nextCare().body), slow, { deadlineMs });
    expect(await house.find(file)).toMatchObject({ pending: 30, resendFrom: 1 });
    await expectPaced(file, 60, 20);
  });

  it('keeps it beside another worker who does the same', async () => {
    const file = await failedFile({ rate: 2, users: 120, fails: EVERY_SECOND });
    await askRetry(file);
    const message = nextCare();
    await Promise.all([house.handle(message), house.handle(message)]);
    // Whoever was not the quicker one may have taken slots for a batch in vain.
    await expectPaced(file, 60, 2, 25 * intervalMs(2));
  });

  it('keeps it together with a later retry of those who have failed again', async () => {
    const file = await failedFile({ rate: 2, users: 120, fails: EVERY_SECOND });
    const again = (userId: string) => Number(userId.slice(1)) < 20;
    house.reply = (userId, nth) => (again(userId) && nth === 1 ? 500 : 200);
    await askRetry(file);
    const { clock, sent } = house.world;
    while ((await house.find(file)).failed !== 10) {
      const message = house.takeMessage();
      if (message) await house.handle(message);
      else clock.set(Math.min(...sent.map(({ atMs = 0 }) => atMs)));
    }
    const { failed, resendFrom } = await house.find(file);
    expect({ failed, resendFrom }).toEqual({ failed: 10, resendFrom: undefined });
    await askRetry(file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 120 });
    expect(house.received).toHaveLength(70);
    expect(busiestSecond()).toBeLessThanOrEqual(2);
  });

  it.each([
    [4, undefined],
    [4, 50],
    [0.5, undefined],
  ])('of %d per second keeps it after an outage, beside %s', async (rate, perSecond) => {
    const file = await failedFile({ rate, perSecond, users: 80, fails: EVERY_SECOND });
    await askRetry(file);
    await house.runUntil(() => house.received.length >= 8);
    // Nobody works for so long; what came meanwhile is then met by many workers at once.
    house.world.clock.advance(Math.ceil(12 * intervalMs(rate)));
    await house.handleAll();
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 0, pending: 0 });
    expect([house.received.length, house.copies().size]).toEqual([40, 40]);
    expect(busiestSecond()).toBeLessThanOrEqual(Math.max(1, 1.35 * rate));
    expect(Math.min(...gapsMs())).toBeGreaterThanOrEqual(rate < 1 ? 0.85 * intervalMs(rate) : 0);
    expect(tookMs()).toBeLessThan(60 * intervalMs(rate) + 20 * SECOND_MS);
    expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
  });

  it.each([undefined, 50])('keeps it where claims take long, beside %s', async (perSecond) => {
    const file = await failedFile({ rate: 4, perSecond, users: 80, fails: EVERY_SECOND });
    await askRetry(file);
    await house.runUntil(() => house.received.length >= 4);
    const { doors, held, release } = holdingClaims();
    const works: Promise<void>[] = [];
    while (works.length < 8) {
      const message = house.takeMessage();
      if (message?.queue === 'file-care') await house.handle(message);
      else if (message) works.push(house.handle(message, doors));
      else house.world.clock.set(Math.min(...house.world.sent.map(({ atMs = 0 }) => atMs)));
      await until(held, (it) => it === works.length);
    }
    release();
    await Promise.all(works);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 0, pending: 0 });
    expect([house.received.length, house.copies().size]).toEqual([40, 40]);
    expect(busiestSecond()).toBeLessThanOrEqual(1.35 * 4);
    expect(tookMs()).toBeLessThan(60 * intervalMs(4));
  });

  it('keeps it together with the first alerts', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = (userId, nth) => (EVERY_SECOND(Number(userId.slice(1))) && nth === 1 ? 500 : 200);
    const file = await house.upload(endpoint, usersFile(60), { ratePerSecond: 0.4 });
    await house.runUntil(async () => (await house.find(file)).failed >= 10);
    await askRetry(file);
    const { state, delivered, failed } = await house.settle(file);
    expect({ state, users: delivered + failed }).toEqual({ state: 'completed', users: 60 });
    expect(delivered).toBeGreaterThanOrEqual(40);
    expect(Math.min(...gapsMs())).toBeGreaterThanOrEqual(0.85 * intervalMs(0.4));
  });

  it('goes by another rate from the next batch on', async () => {
    const file = await failedFile({ rate: 2, users: 100, fails: EVERY_SECOND });
    await askRetry(file);
    const message = nextCare();
    const { db } = house.world;
    let commits = 0;
    const commit: World['db']['commit'] = async (writes) => {
      const done = await db.commit(writes);
      commits += 1;
      if (commits === 2) await setRate(file, 20);
      return done;
    };
    await house.handle(message, { ...house.doors, db: { ...db, commit } });
    await house.settle(file);
    const gaps = gapsMs();
    expect(Math.min(...gaps.slice(0, 25))).toBeGreaterThanOrEqual(Math.floor(intervalMs(2)));
    expect(Math.max(...gaps.slice(25))).toBeLessThanOrEqual(intervalMs(20) + 1);
  });

  it('takes no slot of its endpoint before its time', async () => {
    const limits = { rate: 2, perSecond: 50 };
    const file = await failedFile({ ...limits, users: 120, fails: EVERY_SECOND });
    const endpoint = { tenantId: file.tenantId, id: file.endpointId };
    const before = await findPace(house.world.db, endpoint);
    await askRetry(file);
    await house.handle(nextCare());
    expect((await house.find(file)).pending).toBe(60);
    expect((await findPace(house.world.db, endpoint)).tatUs).toBe(before.tatUs);
    await house.settle(file);
    expect(await findPace(house.world.db, endpoint)).not.toMatchObject({ tatUs: before.tatUs });
  });

  it('leaves those alone whose turn would come too late', async () => {
    const file = await failedFile({ rate: 0.01, users: 60, fails: EVERY_SECOND });
    const readAtMs = file.readAtMs ?? 0;
    house.world.clock.set(readAtMs + 28 * DAY_MS - 10 * MINUTE_MS);
    await askRetry(file);
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 55, failed: 5 });
  });

  it('writes one unit more than without one for each batch', async () => {
    const fails = (nth: number) => nth % 4 === 0;
    const file = await failedFile({ rate: 50, users: 100, fails });
    await askRetry(file);
    house.world.units.splice(0);
    await house.handle(nextCare());
    const units = house.world.units
      .filter(({ operation }) => operation === 'commit' || operation === 'update')
      .map(({ consumed }) => consumed.map((it) => it.CapacityUnits ?? 0).sort((a, b) => b - a));
    // The look at the file, its pace, the batch, and its end.
    expect(units).toEqual([[3], [1], [25 * (2 + 3), 2 + 2], [1]]);
  });
});
