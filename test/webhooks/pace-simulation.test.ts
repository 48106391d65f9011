import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { restartPace } from '../../functions/webhooks/pace.store.ts';
import { randomOf } from '../support/fuzz/dice.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { limitedEndpoint } from './limited-endpoint.ts';
import { type CrowdReport, leastGapMs, mostInASecond, playCrowd } from './sender-crowd.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

/** Most messages come at once; one in a hundred is late by up to three seconds. */
const mostlyQuick = (random: number) => (random < 0.01 ? random * 300_000 : 5 + random * 60);

const timesOf = ({ sends }: CrowdReport) => sends.map((it) => it.atMs);

const rates = fc.oneof(
  fc.constantFrom(0.01, 0.02, 0.5, 0.99, 1, 4.9, 5, 5.18, 5.5, 8, 50, 1_000, 5_000),
  fc.double({ min: -2, max: Math.log10(5_000), noNaN: true }).map((it) => 10 ** it),
);

describe('any rate', () => {
  it('is kept in every second, and nobody is missed', async () => {
    const histories = fc.record({
      rate: rates,
      seed: fc.integer(),
      workers: fc.integer({ min: 1, max: 12 }),
      batches: fc.array(
        fc.record({
          atMs: fc.integer({ min: 0, max: 60_000 }),
          events: fc.integer({ min: 1, max: 100 }),
        }),
        { minLength: 1, maxLength: 5 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(histories, async ({ rate, seed, ...crowd }) => {
        const endpoint = limitedEndpoint(world, rate);
        const random = randomOf(seed);
        const report = await playCrowd(
          { ...crowd, endpoint, random, latencyMs: mostlyQuick },
          world,
        );
        const events = crowd.batches.reduce((sum, it) => sum + it.events, 0);
        expect(report.delivered).toBe(events);
        const times = timesOf(report);
        if (rate >= 5) expect(mostInASecond(times)).toBeLessThanOrEqual(1.35 * rate);
        if (rate < 1) expect(leastGapMs(times)).toBeGreaterThanOrEqual((0.9 * 1_000) / rate - 1);
      }),
      { numRuns: 40 },
    );
  });
});

describe('what a person has sent again', () => {
  it('passes any backlog soon, at any rate, and the limit is kept', async () => {
    const histories = fc.record({
      rate: rates,
      seed: fc.integer(),
      workers: fc.integer({ min: 1, max: 12 }),
      events: fc.integer({ min: 0, max: 300 }),
      retries: fc.array(
        fc.record({
          atMs: fc.integer({ min: 0, max: 30_000 }),
          count: fc.integer({ min: 1, max: 20 }),
        }),
        { minLength: 1, maxLength: 5 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(histories, async ({ rate, seed, events, ...crowd }) => {
        const endpoint = limitedEndpoint(world, rate);
        const random = randomOf(seed);
        const batches = [{ atMs: 0, events }];
        const report = await playCrowd(
          { ...crowd, batches, endpoint, random, latencyMs: mostlyQuick },
          world,
        );
        const count = crowd.retries.reduce((sum, it) => sum + it.count, 0);
        expect(report.delivered).toBe(events + count);
        const times = timesOf(report);
        if (rate >= 5) expect(mostInASecond(times)).toBeLessThanOrEqual(1.35 * rate);
        if (rate < 1) expect(leastGapMs(times)).toBeGreaterThanOrEqual((0.9 * 1_000) / rate - 1);
        const waits = report.sends.flatMap(({ wishedMs }) => wishedMs ?? []);
        expect(waits).toHaveLength(count);
        // Some of them may come late to their slot, and take another one.
        const interval = 1_000 / (0.95 * rate);
        expect(Math.max(...waits)).toBeLessThanOrEqual(15_000 + 2 * (count + 1) * interval);
      }),
      { numRuns: 25 },
    );
  });
});

describe('a backlog of 20,000 at 50 per second', () => {
  it('is received once per delivery and drained in the time it takes', async () => {
    const endpoint = limitedEndpoint(world, 50);
    const batches = Array.from({ length: 200 }, (_, n) => ({ atMs: n * 50, events: 100 }));
    const random = randomOf(7);
    const latencyMs = (chance: number) => 5 + 100 * chance;
    const report = await playCrowd({ endpoint, batches, workers: 12, random, latencyMs }, world);
    expect(report.delivered).toBe(20_000);
    expect(report.receives / 20_000).toBeLessThanOrEqual(1.05);
    expect(mostInASecond(timesOf(report))).toBeLessThanOrEqual(1.35 * 50);
    const seconds = Math.max(...timesOf(report)) / 1_000;
    expect(seconds).toBeLessThanOrEqual(1.01 * (20_000 / 47.5));
  });
});

describe('a limit that is changed', () => {
  it.each([
    { before: 50, after: 5, events: 500 },
    { before: 5, after: 50, events: 500 },
    { before: 20, after: undefined, events: 500 },
  ])(
    'from $before to $after holds five seconds later, also for what waits',
    async ({ before, after, events }) => {
      const endpoint = limitedEndpoint(world, before);
      const changeMs = 10_000;
      const act = async () => {
        const nowMs = world.clock.nowMs();
        await world.db.commit([
          restartPace(endpoint, { perSecond: after, unblocks: false, nowMs }),
        ]);
        return { ...endpoint, perSecond: after };
      };
      const report = await playCrowd(
        {
          endpoint,
          batches: [{ atMs: 0, events }],
          workers: 8,
          random: randomOf(3),
          latencyMs: mostlyQuick,
          acts: [{ atMs: changeMs, act }],
        },
        world,
      );
      expect(report.delivered).toBe(events);
      const times = timesOf(report);
      const [early, late] = [
        times.filter((it) => it < changeMs + 5_000),
        times.filter((it) => it >= changeMs + 5_000),
      ];
      if (after === undefined) return;
      expect(mostInASecond(early)).toBeLessThanOrEqual(1.35 * before);
      expect(mostInASecond(late)).toBeLessThanOrEqual(1.35 * after);
    },
  );
});

/** A receiver that bears so many requests within any second, and answers 429 to others. */
function bearing(perSecond: number, retryAfterMs?: number) {
  const taken: number[] = [];
  return (atMs: number) => {
    while ((taken[0] ?? atMs) <= atMs - 1_000) taken.shift();
    if (taken.length >= perSecond) return { status: 429, retryAfterMs };
    taken.push(atMs);
    return undefined;
  };
}

describe('a receiver that bears less than it gets', () => {
  it.each([
    { limit: undefined, bears: 20, events: 2_000 },
    { limit: undefined, bears: 20, retryAfterMs: 1_000, events: 400 },
    { limit: undefined, bears: 200, events: 1_200 },
    { limit: 50, bears: 20, events: 400 },
  ])('of $bears per second, at a limit of $limit, is soon left in peace', async (row) => {
    const endpoint = limitedEndpoint(world, row.limit);
    const report = await playCrowd(
      {
        endpoint,
        batches: Array.from({ length: row.events / 100 }, (_, n) => ({
          atMs: n * 100,
          events: 100,
        })),
        workers: 8,
        random: randomOf(11),
        latencyMs: mostlyQuick,
        answer: bearing(row.bears, row.retryAfterMs),
      },
      world,
    );
    const late = report.sends.filter((it) => it.atMs >= 10_000);
    const refused = late.filter((it) => it.refused).length;
    expect(report.delivered).toBe(row.events);
    expect(refused).toBeLessThanOrEqual(0.05 * late.length);
  });
});
