import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RateLimit } from '../../functions/tenants/rate-limit.ts';
import { tokenTaker } from '../../functions/tenants/take-token.ts';
import { NOON_MS, type TestWorld, testWorld } from '../support/world.ts';
import { busiest, type Fleet, fleetOf, seeded } from './limiter-fleet.ts';

const INSTANCES = 8;
const WINDOW_MS = 10_000;
/** Each with the burst of two seconds, as a tenant has it by default. */
const RATES: readonly (readonly [perSecond: number, seconds: number])[] = [
  [1, 40],
  [10, 20],
  [100, 12],
];
const limitOf = (perSecond: number): RateLimit => ({ perSecond, burst: 2 * perSecond });

let world: TestWorld;
const table: object[] = [];
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => console.table(table));

interface Load {
  readonly perSecond: number;
  readonly seconds: number;
  readonly startMs?: number;
}

/** Requests at random moments, each at a random instance. */
async function load(
  fleet: Fleet,
  { perSecond, seconds, startMs = NOON_MS }: Load,
  random = seeded(7),
) {
  const times = Array.from({ length: perSecond * seconds }, () => random() * seconds * 1_000);
  for (const ms of times.sort((a, b) => a - b)) {
    await fleet.ask(startMs + Math.floor(ms), Math.floor(random() * INSTANCES));
  }
}

/** The most that a limit allows in the window, and what the fleet let through of it. */
function measure(fleet: Fleet, { perSecond, burst }: RateLimit, seconds: number) {
  const allowed = burst + (perSecond * WINDOW_MS) / 1_000;
  const overshoot = busiest(fleet.admittedMs, WINDOW_MS) / allowed - 1;
  const whole = fleet.admittedMs.length / (burst + perSecond * seconds) - 1;
  const { taken, refused } = fleet.writes;
  return {
    perSecond,
    asked: fleet.admittedMs.length + fleet.refusedMs.length,
    admitted: fleet.admittedMs.length,
    overshoot,
    whole,
    writesPerAdmitted: (taken + refused) / fleet.admittedMs.length,
    refusedWritesPerRefusal: refused / Math.max(1, fleet.refusedMs.length),
  };
}

function note(what: string, measured: ReturnType<typeof measure>) {
  const rounded = Object.entries(measured).map(([name, it]) => [name, Number(it.toFixed(3))]);
  table.push({ what, ...Object.fromEntries(rounded) });
}

describe('eight instances share one limit', () => {
  it.each(RATES)('of %i/s under three times as much', async (perSecond, seconds) => {
    const limit = limitOf(perSecond);
    const fleet = fleetOf(world, limit, INSTANCES);
    await load(fleet, { perSecond: 3 * perSecond, seconds });
    const measured = measure(fleet, limit, seconds);
    note('three times the limit', measured);

    expect(measured.overshoot).toBeLessThanOrEqual(0.05);
    expect(measured.whole).toBeLessThanOrEqual(0.05);
    // And what the limit promises is let through, too.
    expect(measured.whole).toBeGreaterThan(-0.05);
  });

  it.each(RATES)(
    'of %i/s without refusing a client that keeps to it',
    async (perSecond, seconds) => {
      const limit = limitOf(perSecond);
      const fleet = fleetOf(world, limit, INSTANCES);
      const random = seeded(3);
      for (let n = 0; n < 0.9 * perSecond * seconds; n += 1) {
        const atMs = NOON_MS + Math.floor((n * 1_000) / (0.9 * perSecond));
        await fleet.ask(atMs, Math.floor(random() * INSTANCES));
      }
      note('nine tenths of the limit', measure(fleet, limit, seconds));

      expect(fleet.refusedMs).toEqual([]);
    },
  );

  it.each(RATES)('of %i/s when they keep tokens while the bucket fills', async (perSecond) => {
    const limit = limitOf(perSecond);
    const fleet = fleetOf(world, limit, INSTANCES);
    // All of them reserve as much as they ever do, let the bucket fill for as long as what they
    // keep is good, and then spend it together with all that is in the bucket.
    await load(fleet, { perSecond, seconds: 0.3 });
    await load(fleet, { perSecond: 3 * perSecond, seconds: 10, startMs: NOON_MS + 750 });
    const measured = measure(fleet, limit, 10.75);
    note('kept, then spent', measured);

    expect(measured.overshoot).toBeLessThanOrEqual(0.05);
  });

  it.each(RATES)(
    'of %i/s while instances die with what they have reserved',
    async (perSecond, seconds) => {
      const limit = limitOf(perSecond);
      const fleet = fleetOf(world, limit, INSTANCES);
      await load(fleet, { perSecond: 3 * perSecond, seconds });
      const admitted = fleet.admittedMs.length;
      fleet.kill(0);
      const startMs = NOON_MS + 4_000;
      await fleet.ask(startMs, 0);
      fleet.kill(0);
      await load(fleet, { perSecond: 3 * perSecond, seconds: 5, startMs });
      const first = fleet.admittedMs.slice(admitted).find((atMs) => atMs > startMs) ?? Infinity;

      // What it took is as much as accrues in a tenth of a second, or one token.
      expect(first - startMs).toBeLessThanOrEqual(Math.max(1_000, 2_000 / perSecond));
      expect(fleet.admittedMs.length - admitted).toBeGreaterThanOrEqual(0.95 * 5 * perSecond - 2);
    },
  );
});

describe('eight instances with wrong clocks among them', () => {
  const SKEWS_MS = [-300_000, -3_500, -900, 900, 3_500, 300_000];
  const CLOCKS = [
    ...[-3_500, 3_500].map((it) => [10, it] as const),
    ...SKEWS_MS.map((it) => [100, it] as const),
  ];

  it.each(CLOCKS)('keep to %i/s with a skew of %i ms', async (perSecond, skewMs) => {
    const limit = limitOf(perSecond);
    const fleet = fleetOf(world, limit, INSTANCES);
    await load(fleet, { perSecond: 2.5 * perSecond, seconds: 3 });
    fleet.skewsMs[3] = skewMs;
    fleet.skewsMs[5] = -skewMs / 2;
    await load(fleet, { perSecond: 2.5 * perSecond, seconds: 7, startMs: NOON_MS + 3_000 });
    const measured = measure(fleet, limit, 10);
    note(`skew of ${skewMs} ms, 2.5 times`, measured);

    const allowed = limit.burst + perSecond * 10;
    // A clock that is ahead fills the bucket once. All others go by it from then on.
    const aheadMs = Math.max(skewMs, -skewMs / 2);
    const extra = Math.min(limit.burst, (perSecond * aheadMs) / 1_000);
    expect(fleet.admittedMs.length).toBeLessThanOrEqual(1.05 * (allowed + extra));
    expect(fleet.admittedMs.length).toBeGreaterThanOrEqual(0.95 * allowed);
  });

  it.each(CLOCKS)(
    'refuse no client that keeps to %i/s with a skew of %i ms, nor when it is put right',
    async (perSecond, skewMs) => {
      const fleet = fleetOf(world, limitOf(perSecond), INSTANCES);
      fleet.skewsMs[3] = skewMs;
      const random = seeded(3);
      for (let n = 0; n < 0.9 * perSecond * 10; n += 1) {
        const atMs = NOON_MS + Math.floor((n * 1_000) / (0.9 * perSecond));
        if (atMs > NOON_MS + 5_000) fleet.skewsMs[3] = 0;
        if (atMs > NOON_MS + 5_000 && n % 50 === 0) fleet.kill(3);
        await fleet.ask(atMs, Math.floor(random() * INSTANCES));
      }

      expect(fleet.refusedMs).toEqual([]);
    },
  );

  it.each([
    [-300_000, 0],
    [300_000, 0.05],
  ])('refuse few that keep to 1/s with a skew of %i ms, and say so', async (skewMs, share) => {
    world.lines.splice(0);
    const fleet = fleetOf(world, limitOf(1), INSTANCES);
    fleet.skewsMs[3] = skewMs;
    const random = seeded(3);
    for (let n = 0; n < 200; n += 1) {
      await fleet.ask(NOON_MS + Math.floor(n / 0.0009), Math.floor(random() * INSTANCES));
    }

    expect(fleet.refusedMs.length).toBeLessThanOrEqual(200 * share);
    expect(world.lines.map(({ event }) => event)).toContain('rate_limit.clocks_differ');
  });

  it('forget a larger limit of before', async () => {
    const take = tokenTaker();
    const before = { perSecond: 1, burst: 1_000 };
    for (let n = 0; n < 500; n += 1) await take(world, 'lowered', before);
    const turns = [];
    for (let n = 0; n < 3; n += 1) {
      turns.push(await tokenTaker()(world, 'lowered', { perSecond: 1, burst: 2 }));
    }

    expect(turns.map(({ isFree }) => isFree)).toEqual([true, true, false]);
  });
});
