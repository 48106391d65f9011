import { describe, expect, it } from 'vitest';
import {
  intervalMs,
  isLate,
  nextBlock,
  type Pace,
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
    { perSecond: 0.5, late: 315, answer: false },
    { perSecond: 0.5, late: 316, answer: true },
    { perSecond: 0.01, late: 15_789, answer: false },
    { perSecond: 0.01, late: 15_790, answer: true },
    { perSecond: 50, late: -5_000, answer: false },
  ])('$late ms after a slot of $perSecond/s: $answer', ({ perSecond, late, answer }) => {
    expect(isLate(NOW, NOW + late, perSecond)).toBe(answer);
  });
});

describe('nextBlock', () => {
  const none: Pace = { refusals: 0 };

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
    { agoMs: 59_999, refusals: 5 },
    { agoMs: 60_000, refusals: 1 },
  ])('a block that ended $agoMs ms ago makes this refusal number $refusals', (row) => {
    const pace = { refusals: 4, blockedUntilMs: NOW - row.agoMs };
    expect(nextBlock(pace, NOW, undefined).refusals).toBe(row.refusals);
  });

  it('counts the refusals during one block once', () => {
    const first = nextBlock(none, NOW, undefined);
    expect(nextBlock(first, NOW + 500, undefined)).toEqual(first);
  });

  it('does what the receiver asks, and never shortens a block', () => {
    expect(nextBlock(none, NOW, 90_000).blockedUntilMs).toBe(NOW + 90_000);
    const blocked = { refusals: 1, blockedUntilMs: NOW + 90_000 };
    expect(nextBlock(blocked, NOW, 5_000).blockedUntilMs).toBe(NOW + 90_000);
    expect(nextBlock(blocked, NOW, 95_000).blockedUntilMs).toBe(NOW + 95_000);
  });
});
