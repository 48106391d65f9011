import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Problem } from '../../functions/shared/problem.ts';
import type { Commit, Write } from '../../functions/shared/world.ts';
import { type RateLimit, STRANGER_LIMIT } from '../../functions/tenants/rate-limit.ts';
import { tokenTaker } from '../../functions/tenants/take-token.ts';
import { NOON_MS, type TestWorld, testWorld } from '../support/world.ts';
import { type CalmFleet, fleetOf } from './limiter-fleet.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.units.splice(0);
  world.lines.splice(0);
});

it('refuses nobody for others being faster while there are tokens, and says so', async () => {
  const limit = { perSecond: 10_000, burst: 20_000 };
  const counted: unknown[] = [];
  const crowded: TestWorld = {
    ...world,
    db: { ...world.db, commit: async () => ({ ok: false, reasons: [{ code: 'condition' }] }) },
    metrics: { count: (name, value) => void counted.push([name, value]) },
  };
  const turn = await tokenTaker()(crowded, 'crowded', limit);

  expect(turn.isFree).toBe(true);
  expect(counted).toEqual([['RateLimitsUnreserved', 1]]);
  expect(world.lines).toEqual([{ event: 'rate_limit.unreserved', bucket: 'crowded', count: 1 }]);
});

describe('requests side by side', () => {
  const manyAtOnce = (fleet: CalmFleet, count: number) =>
    Promise.all(Array.from({ length: count }, () => fleet.ask(NOON_MS, 0)));

  it('all get a token that is there, in a few writes', async () => {
    const fleet = fleetOf(world, { perSecond: 500, burst: 1_000 }, 1);
    await manyAtOnce(fleet, 960);

    expect(fleet.refusedMs).toEqual([]);
    expect(fleet.writes.taken + fleet.writes.refused).toBeLessThanOrEqual(3);
  });

  it.each([
    [1, 20],
    [100, 200],
  ])('get no more than there are: %i/s, burst %i', async (perSecond, burst) => {
    const fleet = fleetOf(world, { perSecond, burst }, 1);
    await manyAtOnce(fleet, 3 * burst);

    expect(fleet.admittedMs).toHaveLength(burst);
    expect(fleet.writes.taken + fleet.writes.refused).toBeLessThanOrEqual(3);
  });

  it('get no more than there are at several instances', async () => {
    const fleet = fleetOf(world, { perSecond: 100, burst: 200 }, 4);
    await Promise.all(Array.from({ length: 800 }, (_, n) => fleet.ask(NOON_MS, n % 4)));

    expect(fleet.admittedMs).toHaveLength(200);
  });

  it('share one failure', async () => {
    const counted: string[] = [];
    const broken: TestWorld = {
      ...world,
      db: { ...world.db, commit: () => Promise.reject(new Problem('unavailable')) },
      metrics: { count: (name) => void counted.push(name) },
    };
    const take = tokenTaker();
    const asked = Array.from({ length: 30 }, () => take(broken, 'together', STRANGER_LIMIT));
    const turns = await Promise.all(asked);

    expect(turns.filter(({ isFree }) => isFree)).toHaveLength(20);
    expect(counted).toEqual(['RateLimitsAlone']);
  });
});

describe('cost', () => {
  it.each([
    [1_000, 100],
    [100, 10],
    [20, 2],
  ])('at %i/s one write of 1 WRU is for %i requests', async (perSecond, size) => {
    const fleet = fleetOf(world, { perSecond, burst: 2 * perSecond }, 1);
    const everyMs = 1_000 / perSecond;
    for (let n = 0; n < perSecond; n += 1) await fleet.ask(NOON_MS + n * everyMs, 0);
    const warmUp = { ...fleet.writes };
    world.units.splice(0);
    for (let n = 0; n < perSecond; n += 1) await fleet.ask(NOON_MS + 1_000 + n * everyMs, 0);

    expect(fleet.refusedMs).toEqual([]);
    expect(warmUp.taken).toBeLessThanOrEqual(perSecond / size + 6);
    expect(fleet.writes.taken - warmUp.taken).toBeLessThanOrEqual(perSecond / size + 1);
    expect(fleet.writes.refused).toBe(0);
    expect(world.takeUnits()).toBe(fleet.writes.taken - warmUp.taken);
  });

  it('of a first request is one token, not those of a crowd that may not come', async () => {
    const limit = { perSecond: 1_000, burst: 100 };
    const fleet = fleetOf(world, limit, 100);
    for (let n = 0; n < 100; n += 1) await fleet.ask(NOON_MS, n);

    expect(fleet.refusedMs).toEqual([]);
  });

  it('below 10/s each request is one write', async () => {
    const fleet = fleetOf(world, { perSecond: 9, burst: 9 }, 1);
    for (let n = 0; n < 9; n += 1) await fleet.ask(NOON_MS + n, 0);

    expect(fleet.writes).toEqual({ taken: 9, refused: 0 });
    expect(world.takeUnits()).toBe(9);
  });

  it('of refused requests is nothing while the bucket is known to be empty', async () => {
    const fleet = fleetOf(world, { perSecond: 1, burst: 2 }, 1);
    for (let n = 0; n < 500; n += 1) await fleet.ask(NOON_MS + n, 0);

    expect(fleet.admittedMs).toHaveLength(2);
    expect(fleet.writes).toEqual({ taken: 2, refused: 0 });
  });

  it('of a bucket that ends is left to the table', async () => {
    const limit = { perSecond: 1, burst: 60 };
    const items: unknown[] = [];
    let refused = 0;
    const db: TestWorld['db'] = {
      ...world.db,
      async commit(writes) {
        const commit = await world.db.commit(writes);
        if (commit.ok) items.push(commit.item?.ttl);
        else refused += 1;
        return commit;
      },
    };
    const take = tokenTaker();
    await take({ ...world, db }, 'ends', limit);
    // Long after it was full again, and whether or not the table has removed it by then.
    world.clock.advance(2 * 3_600_000);
    await take({ ...world, db }, 'ends', limit);

    const end = NOON_MS / 1_000 + 60 + 3_600;
    expect(items).toEqual([end, end + 2 * 3_600]);
    expect(refused).toBe(0);
    expect(world.takeUnits()).toBe(2);
  });
});

describe('what is told of the limit', () => {
  it('counts down to zero and says how long to wait', async () => {
    const fleet = fleetOf(world, { perSecond: 2, burst: 3 }, 1);
    const turns = [];
    for (let n = 0; n < 4; n += 1) turns.push(await fleet.ask(NOON_MS, 0));

    expect(turns.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0]);
    expect(turns.map(({ isFree }) => isFree)).toEqual([true, true, true, false]);
    expect(turns.at(-1)?.waitMs).toBe(500);
    expect((await fleet.ask(NOON_MS + 499, 0)).isFree).toBe(false);
    expect((await fleet.ask(NOON_MS + 500, 0)).isFree).toBe(true);
  });
});

describe('clocks', () => {
  it('that run ahead elsewhere block nobody', async () => {
    const fleet = fleetOf(world, { perSecond: 1, burst: 2 }, 2);
    await fleet.ask(NOON_MS + 300_000, 0);

    expect((await fleet.ask(NOON_MS, 1)).isFree).toBe(true);
  });

  it('that go backward keep neither tokens nor blocks', async () => {
    const fleet = fleetOf(world, { perSecond: 1, burst: 1 }, 1);
    await fleet.ask(NOON_MS, 0);
    expect((await fleet.ask(NOON_MS + 1, 0)).isFree).toBe(false);

    expect((await fleet.ask(NOON_MS - 300_000, 0)).isFree).toBe(true);
  });

  it('that go backward by little are as good as others', async () => {
    const fleet = fleetOf(world, { perSecond: 1, burst: 2 }, 1);
    for (let n = 0; n < 2; n += 1) await fleet.ask(NOON_MS, 0);

    // The table is asked, and tells that this clock is behind that of the last write.
    expect((await fleet.ask(NOON_MS - 1_500, 0)).isFree).toBe(true);
  });

  it('of a frozen instance end what it had reserved', async () => {
    const fleet = fleetOf(world, { perSecond: 100, burst: 200 }, 1);
    for (let n = 0; n < 20; n += 1) await fleet.ask(NOON_MS + n, 0);
    const before = fleet.writes.taken;
    await fleet.ask(NOON_MS + 600_000, 0);

    expect(fleet.writes.taken).toBe(before + 1);
  });
});

describe('a larger or smaller limit', () => {
  it('holds from the next reservation on', async () => {
    const take = tokenTaker();
    const many = async (limit: RateLimit, count: number) => {
      const turns = [];
      for (let n = 0; n < count; n += 1) turns.push(await take(world, 'changed', limit));
      return turns.filter(({ isFree }) => isFree).length;
    };

    expect(await many({ perSecond: 5, burst: 5 }, 10)).toBe(5);
    world.clock.advance(1_000);
    expect(await many({ perSecond: 9, burst: 9 }, 20)).toBe(9);
    world.clock.advance(1_000);
    expect(await many({ perSecond: 1, burst: 1 }, 20)).toBe(1);
  });
});

describe('an outage of the table', () => {
  /** The table does not answer for these buckets. */
  const failing = (error: Error, ...names: string[]) => {
    const tried: string[] = [];
    const commit = (writes: readonly Write[]): Promise<Commit> => {
      const name = names.find((it) => JSON.stringify(writes).includes(`"R#${it}"`));
      if (name === undefined) return world.db.commit(writes);
      tried.push(name);
      return Promise.reject(error);
    };
    const counted: string[] = [];
    const metrics = { count: (name: string) => void counted.push(name) };
    const broken: TestWorld = { ...world, db: { ...world.db, commit }, metrics };
    return { broken, counted, tried };
  };
  const out = new Problem('unavailable');

  it.each([out, new Error('AccessDenied')])(
    'refuses nobody who keeps to the limit, tells the operator, and tries again in 5 seconds: %s',
    async (error) => {
      const { broken, counted, tried } = failing(error, 'out');
      const take = tokenTaker();
      const limit = { perSecond: 11, burst: 11 };
      for (let n = 0; n < 50; n += 1) {
        expect((await take(broken, 'out', limit)).isFree).toBe(true);
        world.clock.advance(99);
      }

      expect([tried.length, counted]).toEqual([1, ['RateLimitsAlone']]);
      expect(world.lines).toMatchObject([{ event: 'rate_limit.alone', error }]);
      world.clock.advance(50);
      await take(broken, 'out', limit);
      expect(tried).toHaveLength(2);
    },
  );

  it('is counted in by each instance alone, and told as it is', async () => {
    const { broken } = failing(out, 'ip#1');
    const take = tokenTaker();
    const turns = [];
    for (let n = 0; n < 25; n += 1) turns.push(await take(broken, 'ip#1', STRANGER_LIMIT));
    world.clock.advance(3_000);
    for (let n = 0; n < 2; n += 1) turns.push(await take(broken, 'ip#1', STRANGER_LIMIT));

    const free = (count: number) => Array<boolean>(count).fill(true);
    const refused = (count: number) => Array<boolean>(count).fill(false);
    expect(turns.map(({ isFree }) => isFree)).toEqual([
      ...[...free(20), ...refused(5)],
      ...[...free(1), ...refused(1)],
    ]);
    expect(turns.slice(0, 3).map(({ remaining }) => remaining)).toEqual([19, 18, 17]);
    expect(turns[20]).toEqual({ isFree: false, remaining: 0, waitMs: 3_000 });
  });

  it('of one bucket opens no other', async () => {
    const { broken, tried } = failing(out, 'broken');
    const take = tokenTaker();
    const limit = { perSecond: 1, burst: 2 };
    await take(broken, 'broken', limit);
    const one = await take(world, 'whole', limit);
    world.units.splice(0);
    const turns = [one];
    for (let n = 0; n < 2; n += 1) turns.push(await take(broken, 'whole', limit));

    expect(tried).toEqual(['broken']);
    expect(turns.map(({ isFree }) => isFree)).toEqual([true, true, false]);
    expect(world.takeUnits()).toBe(1);
  });

  it('ends with what the table says', async () => {
    const { broken } = failing(out, 'back');
    const take = tokenTaker();
    const limit = { perSecond: 0.1, burst: 2 };
    for (let n = 0; n < 2; n += 1) await take(broken, 'back', limit);
    expect((await take(broken, 'back', limit)).isFree).toBe(false);
    world.clock.advance(10_000);
    const turns = [];
    for (let n = 0; n < 3; n += 1) turns.push(await take(world, 'back', limit));

    expect(turns.map(({ isFree }) => isFree)).toEqual([true, true, false]);
  });
});
