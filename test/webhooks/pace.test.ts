import { describe, expect, it } from 'vitest';
import {
  halvedRate,
  intervalMs,
  isLate,
  limitOf,
  NO_PACE,
  nextBlock,
  rateAt,
  slotsBefore,
  spanUs,
  toUs,
} from '../../functions/webhooks/pace.ts';

const NOW = 1_000_000_000;

describe('slots', () => {
  it.each([
    [0.01, 105_263.15],
    [0.5, 2_105.26],
    [50, 21.05],
    [5_000, 0.21],
  ])('at %d per second lie %d ms apart', (perSecond, ms) => {
    expect(intervalMs(perSecond)).toBeCloseTo(ms, 1);
  });

  it.each([0.01, 0.5, 1, 3, 10, 19, 50, 5_000])('reserve whole microseconds at %d/s', (rate) => {
    for (const count of [1, 7, 100]) {
      const span = spanUs(count, rate);
      expect(Number.isSafeInteger(toUs(NOW) + span)).toBe(true);
      const perSecond = (count * 1_000_000) / span;
      expect(perSecond).toBeLessThanOrEqual(0.95 * rate);
      expect(perSecond).toBeGreaterThanOrEqual(0.945 * rate);
    }
  });

  it('end where the reservation ends, in order and never early', () => {
    const interval = intervalMs(0.5);
    const slots = slotsBefore(toUs(NOW) + spanUs(3, 0.5), 3, 0.5);
    expect(slots).toEqual([NOW, Math.ceil(NOW + interval), Math.ceil(NOW + 2 * interval)]);
  });
});

describe('isLate', () => {
  it.each([
    { perSecond: 50, late: 350, answer: false },
    { perSecond: 50, late: 351, answer: true },
    { perSecond: 1, late: 350, answer: false },
    { perSecond: 0.5, late: 300, answer: false },
    { perSecond: 0.5, late: 301, answer: true },
    { perSecond: 0.01, late: 15_000, answer: false },
    { perSecond: 0.01, late: 15_001, answer: true },
    { perSecond: 5, late: 261, answer: false },
    { perSecond: 5, late: 262, answer: true },
    { perSecond: 50, late: -5_000, answer: false },
  ])('$late ms after a slot of $perSecond/s: $answer', ({ perSecond, late, answer }) => {
    expect(isLate(NOW, NOW + late, perSecond)).toBe(answer);
  });
});

describe('nextBlock', () => {
  it.each([
    { refusals: 0, seconds: 1 },
    { refusals: 1, seconds: 2 },
    { refusals: 2, seconds: 4 },
    { refusals: 5, seconds: 32 },
    { refusals: 6, seconds: 60 },
    { refusals: 400, seconds: 60 },
  ])('after $refusals refusals in a row blocks $seconds s', ({ refusals, seconds }) => {
    const pace = nextBlock({ refusals, blockedUntilMs: NOW - 1 }, NOW, undefined);
    expect(pace.blockedUntilMs).toBe(NOW + seconds * 1_000);
    expect(pace.refusals).toBe(refusals + 1);
  });

  it.each([
    { agoMs: 19_999, refusals: 5 },
    { agoMs: 20_000, refusals: 1 },
  ])('a block that ended $agoMs ms ago makes this refusal number $refusals', (row) => {
    const pace = { refusals: 4, blockedUntilMs: NOW - row.agoMs };
    expect(nextBlock(pace, NOW, undefined).refusals).toBe(row.refusals);
  });

  it('counts the refusals during one block once', () => {
    const first = nextBlock(NO_PACE, NOW, undefined);
    expect(nextBlock(first, NOW + 500, undefined)).toEqual(first);
  });

  it('does what the receiver asks, and never shortens a block', () => {
    expect(nextBlock(NO_PACE, NOW, 90_000).blockedUntilMs).toBe(NOW + 90_000);
    const blocked = { refusals: 1, blockedUntilMs: NOW + 90_000 };
    expect(nextBlock(blocked, NOW, 5_000).blockedUntilMs).toBe(NOW + 90_000);
    expect(nextBlock(blocked, NOW, 95_000).blockedUntilMs).toBe(NOW + 95_000);
  });
});

describe('a learned rate', () => {
  const halved = (perSecond: number) => ({ learned: { perSecond, atMs: NOW } });

  it.each([
    { limit: 40, ago: 0, rate: 10 },
    { limit: 40, ago: 9_999, rate: 10 },
    { limit: 40, ago: 10_000, rate: 12 },
    { limit: 40, ago: 149_999, rate: 38 },
    { limit: 40, ago: 150_000, rate: 40 },
    { limit: 40, ago: 9_000_000, rate: 40 },
    { limit: undefined, ago: 9_999, rate: 10 },
    { limit: undefined, ago: 10_000, rate: 11.5 },
    { limit: undefined, ago: 440_000, rate: 4_684.95 },
    { limit: undefined, ago: 450_000, rate: undefined },
    { limit: 0.5, ago: 0, rate: 0.5 },
  ])('of 10/s is $rate $ago ms later, at a limit of $limit', ({ limit, ago, rate }) => {
    const now = rateAt(limit, halved(10), NOW + ago);
    if (rate === undefined) expect(now).toBeUndefined();
    else expect(now).toBeCloseTo(rate, 2);
  });

  it.each([
    { limit: 40, had: undefined, rate: 20 },
    { limit: 40, had: 20, rate: 11 },
    { limit: 40, had: 5, rate: 5 },
    { limit: 0.01, had: undefined, rate: 0.005 },
    { limit: undefined, had: undefined, rate: 25 },
    { limit: undefined, had: 100, rate: 57.5 },
    { limit: undefined, had: 5, rate: 6.25 },
  ])('of $had/s is halved to $rate, at a limit of $limit', ({ limit, had, rate }) => {
    const pace = had === undefined ? NO_PACE : { ...NO_PACE, ...halved(had) };
    const next = halvedRate(limit, pace, NOW + 10_000);
    expect(next?.perSecond).toBeCloseTo(rate, 5);
    expect(next?.atMs).toBe(NOW + 10_000);
  });

  it('is halved once in ten seconds', () => {
    expect(halvedRate(40, { ...NO_PACE, ...halved(20) }, NOW + 9_999)).toBeUndefined();
  });
});

describe('the limit', () => {
  it.each([
    { perSecond: 5, limit: undefined, is: 5 },
    { perSecond: 5, limit: 7, is: 7 },
    { perSecond: 5, limit: 0, is: undefined },
    { perSecond: undefined, limit: undefined, is: undefined },
  ])('of $perSecond, changed to $limit, is $is', ({ perSecond, limit, is }) => {
    expect(limitOf({ perSecond }, { limit })).toBe(is);
  });
});
