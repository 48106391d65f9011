import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RateLimit } from '../../functions/tenants/rate-limit.ts';
import { tokenTaker } from '../../functions/tenants/take-token.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { type BusyFleet, busiest, busyFleetOf, type Size } from './limiter-fleet.ts';

const WINDOW_MS = 10_000;
const EIGHT: Size = { instances: 8, latencyMs: [3, 15] };
const RATES = [10, 100, 1_000];
/** Each with the burst of two seconds, as a tenant has it by default. */
const limitOf = (perSecond: number): RateLimit => ({ perSecond, burst: 2 * perSecond });

let world: TestWorld;
const table: object[] = [];
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => console.table(table));

/** The most that a limit allows in the window, and what the fleet let through of it. */
function measure(fleet: BusyFleet, { perSecond, burst }: RateLimit, seconds: number) {
  const allowed = burst + (perSecond * WINDOW_MS) / 1_000;
  const overshoot = busiest(fleet.admittedMs, WINDOW_MS) / allowed - 1;
  const whole = fleet.admittedMs.length / (burst + perSecond * seconds) - 1;
  const { taken, refused } = fleet.writes;
  const asked = fleet.admittedMs.length + fleet.refusedMs.length;
  return {
    ...{ perSecond, asked, admitted: fleet.admittedMs.length, overshoot, whole },
    writesPerAdmitted: (taken + refused) / fleet.admittedMs.length,
    writesPerAsked: (taken + refused) / asked,
  };
}

function note(what: string, measured: ReturnType<typeof measure>) {
  const rounded = Object.entries(measured).map(([name, it]) => [name, Number(it.toFixed(3))]);
  table.push({ what, ...Object.fromEntries(rounded) });
}

const unreserved = ({ lines }: BusyFleet) =>
  lines.filter(({ event }) => event === 'rate_limit.unreserved');

describe('instances that ask at the same time share one limit', () => {
  const SIZES: readonly Size[] = [
    { instances: 8, latencyMs: [4, 6] },
    { instances: 8, latencyMs: [8, 12] },
    EIGHT,
    { instances: 16, latencyMs: [5, 15] },
  ];
  const CROWDS = RATES.flatMap((rate) => SIZES.map((size) => ({ rate, size, times: 3 })));
  const SLOW = { rate: 1, size: EIGHT, times: 3 };
  const BETWEEN = [200, 500].map((rate) => ({ rate, size: EIGHT, times: 3 }));
  const WILD = { rate: 100, size: EIGHT, times: 20 };

  it.each([SLOW, ...CROWDS, ...BETWEEN, WILD])(
    'of $rate/s under $times times as much: $size',
    async (crowd) => {
      const { rate, size, times } = crowd;
      const limit = limitOf(rate);
      const seconds = rate === 1 ? 40 : 11;
      const fleet = busyFleetOf(world, limit, size);
      await fleet.load({ perSecond: times * rate, seconds });
      const measured = measure(fleet, limit, seconds);
      note(`${times} times, ${size.instances} instances, ${size.latencyMs} ms`, measured);

      expect(unreserved(fleet)).toEqual([]);
      expect(measured.overshoot).toBeLessThanOrEqual(0.05);
      // And what the limit promises is let through, too.
      expect(measured.whole).toBeGreaterThan(-0.05);
      expect(measured.writesPerAsked).toBeLessThanOrEqual(1.1);
      // Each instance has its share of the rate, and a lease is for a tenth of a second.
      const lease = Math.min(rate / 10, (times * rate) / size.instances / 4);
      if (rate >= 100) expect(measured.writesPerAdmitted).toBeLessThanOrEqual(1.5 / lease);
    },
  );

  it.each([1, ...RATES])('of %i/s, and refuse no client that keeps to it', async (perSecond) => {
    const limit = limitOf(perSecond);
    const fleet = busyFleetOf(world, limit, EIGHT);
    const seconds = perSecond === 1 ? 40 : 11;
    await fleet.load({ perSecond: 0.9 * perSecond, seconds, evenly: true });
    const measured = measure(fleet, limit, seconds);
    note('nine tenths of the limit', measured);

    expect(fleet.refusedMs).toEqual([]);
    expect(measured.writesPerAsked).toBeLessThanOrEqual(perSecond < 100 ? 1.3 : 75 / perSecond);
  });

  it.each([100, 1_000])('of %i/s, and refuse no client that comes in pulses', async (perSecond) => {
    const fleet = busyFleetOf(world, limitOf(perSecond), EIGHT);
    for (let second = 0; second < 8; second += 1) {
      await fleet.load({ perSecond: 4 * 0.9 * perSecond, seconds: 0.25, evenly: true });
      await fleet.load({ perSecond: 0, seconds: 0.75 });
    }
    expect(fleet.refusedMs).toEqual([]);
  });

  it.each<Size & { rate: number }>([
    { instances: 32, latencyMs: [100, 300], rate: 10 },
    { instances: 32, latencyMs: [50, 100], rate: 20 },
    { instances: 64, latencyMs: [3, 15], rate: 100 },
  ])('of $rate/s, and answer soon: $instances, table $latencyMs', async ({ rate, ...size }) => {
    const fleet = busyFleetOf(world, limitOf(rate), size);
    await fleet.load({ perSecond: 3 * rate, seconds: 11 });
    const measured = measure(fleet, limitOf(rate), 11);
    note(`3 times, ${size.instances} instances, ${size.latencyMs} ms`, measured);
    expect(Math.max(...fleet.waitedMs)).toBeLessThanOrEqual(6 * size.latencyMs[1]);
    expect(measured.writesPerAsked).toBeLessThanOrEqual(2.5);
  });

  it.each(RATES)('of %i/s when they keep tokens while the bucket fills', async (perSecond) => {
    const limit = limitOf(perSecond);
    const fleet = busyFleetOf(world, limit, EIGHT);
    // All of them reserve as much as they ever do, let the bucket fill for as long as what they
    // keep is good, and then spend it together with all that is in the bucket.
    await fleet.load({ perSecond, seconds: 0.3 });
    await fleet.load({ perSecond: 0, seconds: 0.45 });
    await fleet.load({ perSecond: 3 * perSecond, seconds: 10 });
    const measured = measure(fleet, limit, 10.75);
    note('kept, then spent', measured);

    expect(measured.overshoot).toBeLessThanOrEqual(0.05);
  });

  it('and tell of no more than is let through in the second after', async () => {
    const limit = limitOf(100);
    const fleet = busyFleetOf(world, limit, EIGHT);
    await fleet.load({ perSecond: 300, seconds: 5 });
    const early = fleet.told.filter(({ atMs }) => atMs < fleet.nowMs() - 1_000);
    const broken = early.filter(({ atMs, remaining }) => {
      const after = fleet.admittedMs.filter((it) => it > atMs && it <= atMs + 1_000);
      return Math.min(remaining, limit.perSecond) > after.length;
    });

    expect(early.length).toBeGreaterThan(400);
    expect(broken).toEqual([]);
  });
});

describe('instances that die with what they have reserved', () => {
  it.each(RATES)('one by one cost others little of %i/s', async (perSecond) => {
    const fleet = busyFleetOf(world, limitOf(perSecond), EIGHT);
    await fleet.load({ perSecond: 3 * perSecond, seconds: 4 });
    const admitted = fleet.admittedMs.length;
    fleet.kill(0);
    await fleet.load({ perSecond: 3 * perSecond, seconds: 2.5 });
    fleet.kill(1);
    await fleet.load({ perSecond: 3 * perSecond, seconds: 2.5 });

    expect(fleet.admittedMs.length - admitted).toBeGreaterThanOrEqual(0.93 * 5 * perSecond - 2);
  });

  it.each([1, ...RATES])('all at once block a key of %i/s for a second', async (perSecond) => {
    const fleet = busyFleetOf(world, limitOf(perSecond), EIGHT);
    await fleet.load({ perSecond: 10 * perSecond, seconds: 6 });
    const diedMs = fleet.nowMs();
    for (let instance = 0; instance < 8; instance += 1) fleet.kill(instance);
    await fleet.load({ perSecond: 10 * perSecond, seconds: 5 });
    const first = fleet.admittedMs.find((atMs) => atMs > diedMs + 15) ?? Infinity;

    // And one below 10/s for no longer than a token takes to accrue.
    expect(first - diedMs).toBeLessThanOrEqual(perSecond < 10 ? 2_000 / perSecond : 1_100);
  });
});

describe('eight instances with wrong clocks among them', () => {
  const SKEWS_MS = [-300_000, -3_500, -900, 900, 3_500, 300_000];
  const CLOCKS = [
    ...[-3_500, 3_500].map((it) => [10, it] as const),
    ...SKEWS_MS.map((it) => [100, it] as const),
  ];

  it.each(CLOCKS)('keep to %i/s with a skew of %i ms', async (perSecond, skewMs) => {
    const limit = limitOf(perSecond);
    const fleet = busyFleetOf(world, limit, EIGHT);
    await fleet.load({ perSecond: 2.5 * perSecond, seconds: 3 });
    fleet.skewsMs[3] = skewMs;
    fleet.skewsMs[5] = -skewMs / 2;
    await fleet.load({ perSecond: 2.5 * perSecond, seconds: 7 });
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
      const fleet = busyFleetOf(world, limitOf(perSecond), EIGHT);
      const load = { perSecond: 0.9 * perSecond, evenly: true };
      fleet.skewsMs[3] = skewMs;
      await fleet.load({ ...load, seconds: 5 });
      fleet.skewsMs[3] = 0;
      for (let n = 0; n < 10; n += 1) {
        await fleet.load({ ...load, seconds: 0.5 });
        fleet.kill(3);
      }

      expect(fleet.refusedMs).toEqual([]);
    },
  );

  it.each([
    [-300_000, 0],
    [300_000, 0.05],
  ])('refuse few that keep to 1/s with a skew of %i ms, and say so', async (skewMs, share) => {
    const fleet = busyFleetOf(world, limitOf(1), EIGHT);
    fleet.skewsMs[3] = skewMs;
    await fleet.load({ perSecond: 0.9, seconds: 223, evenly: true });

    expect(fleet.refusedMs.length).toBeLessThanOrEqual(200 * share);
    expect(fleet.lines.map(({ event }) => event)).toContain('rate_limit.clocks_differ');
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
