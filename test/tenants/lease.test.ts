import { beforeAll, describe, expect, it } from 'vitest';
import { NOON_MS, type TestWorld, testWorld } from '../support/world.ts';
import { busiest, busyFleetOf, fleetOf } from './limiter-fleet.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

describe('tokens that are reserved before they accrue', () => {
  it('are spent as they do, at one write for all of them, and waited for as told', async () => {
    const fleet = fleetOf(world, { perSecond: 100, burst: 20 }, 1);
    for (let ms = 0; ms < 1_000; ms += 2) await fleet.ask(NOON_MS + ms, 0);
    const before = { admitted: fleet.admittedMs.length, writes: fleet.writes.taken };
    const promisedMs: number[] = [];
    for (let ms = 1_000; ms < 2_000; ms += 2) {
      const { isFree, waitMs } = await fleet.ask(NOON_MS + ms, 0);
      if (!isFree && promisedMs.length === 0) promisedMs.push(NOON_MS + ms + waitMs);
    }
    const next = fleet.admittedMs.find((atMs) => atMs >= (promisedMs[0] ?? Infinity)) ?? Infinity;

    expect(fleet.admittedMs.length - before.admitted).toBe(100);
    expect(fleet.writes.taken - before.writes).toBeLessThanOrEqual(11);
    expect(fleet.writes.refused).toBe(0);
    expect(next - (promisedMs[0] ?? 0)).toBeLessThanOrEqual(1);
  });

  it('are not told of as left', async () => {
    const fleet = fleetOf(world, { perSecond: 100, burst: 20 }, 1);
    const told = [];
    for (let ms = 0; ms < 2_000; ms += 2) told.push((await fleet.ask(NOON_MS + ms, 0)).remaining);

    expect(told.slice(0, 20)).toEqual(expect.arrayContaining([19, 10, 3]));
    expect(new Set(told.slice(500))).toEqual(new Set([0]));
  });
});

it('nobody is let through for a slow table while others reserve', async () => {
  const fleet = busyFleetOf(
    world,
    { perSecond: 100, burst: 200 },
    { instances: 8, latencyMs: [300, 900] },
  );
  await fleet.load({ perSecond: 300, seconds: 11 });

  expect(fleet.lines).toEqual([]);
  expect(busiest(fleet.admittedMs, 10_000)).toBeLessThanOrEqual(1.05 * (200 + 1_000));
});
