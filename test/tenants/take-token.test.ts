import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Problem } from '../../functions/shared/problem.ts';
import type { Commit } from '../../functions/shared/world.ts';
import type { RateLimit } from '../../functions/tenants/rate-limit.ts';
import { tokenTaker } from '../../functions/tenants/take-token.ts';
import { NOON_MS, type TestWorld, testWorld } from '../support/world.ts';
import { fleetOf } from './limiter-fleet.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.units.splice(0);
  world.lines.splice(0);
});

it('refuses nobody for others being faster while there are tokens', async () => {
  const limit = { perSecond: 10_000, burst: 20_000 };
  const db: TestWorld['db'] = {
    ...world.db,
    commit: async () => ({ ok: false, reasons: [{ code: 'condition' }] }),
  };
  const turn = await tokenTaker()({ ...world, db }, 'crowded', limit);

  expect(turn.isFree).toBe(true);
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
    const fleet = fleetOf(world, { perSecond: 1, burst: 60 }, 1);
    const items: unknown[] = [];
    const db: TestWorld['db'] = {
      ...world.db,
      async commit(writes) {
        const commit = await world.db.commit(writes);
        if (commit.ok) items.push(commit.item?.ttl);
        return commit;
      },
    };
    await tokenTaker()({ ...world, db }, 'ends', { perSecond: 1, burst: 60 });

    expect(fleet.writes.taken).toBe(0);
    expect(items).toEqual([NOON_MS / 1_000 + 60 + 3_600]);
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
  const failing = (error: Error) => {
    let tries = 0;
    const commit = (): Promise<Commit> => {
      tries += 1;
      return Promise.reject(error);
    };
    const counted: string[] = [];
    const metrics = { count: (name: string) => void counted.push(name) };
    const broken: TestWorld = { ...world, db: { ...world.db, commit }, metrics };
    return { broken, counted, tries: () => tries };
  };

  it.each([new Problem('unavailable'), new Error('AccessDenied')])(
    'lets everybody through, tells the operator, and tries again in 5 seconds: %s',
    async (error) => {
      const { broken, counted, tries } = failing(error);
      const take = tokenTaker();
      const limit = { perSecond: 1, burst: 1 };
      for (let n = 0; n < 50; n += 1) {
        expect((await take(broken, 'out', limit)).isFree).toBe(true);
        world.clock.advance(99);
      }

      expect([tries(), counted]).toEqual([1, ['RateLimitsOpen']]);
      expect(world.lines).toMatchObject([{ event: 'rate_limit.open', error }]);
      world.clock.advance(50);
      await take(broken, 'out', limit);
      expect(tries()).toBe(2);
    },
  );
});
