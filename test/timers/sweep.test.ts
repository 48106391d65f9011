import { describe, expect, it } from 'vitest';
import {
  afterTick,
  firstSweep,
  messageTimeMs,
  minutesToSweep,
  needsMessage,
} from '../../functions/timers/sweep.ts';

const MINUTE = 29_395_230;
const NOW = MINUTE * 60_000 + 15_000;
const sweep = { fromMinute: MINUTE - 10, seenMs: NOW + 120_000 };

describe('minutesToSweep', () => {
  it('goes from the watermark to two minutes ahead', () => {
    const minutes = minutesToSweep(sweep, NOW);
    expect([minutes[0], minutes.at(-1), minutes.length]).toEqual([MINUTE - 10, MINUTE + 2, 13]);
  });

  it('looks back an hour on a table that was never swept', () => {
    expect(minutesToSweep(firstSweep(NOW), NOW)[0]).toBe(MINUTE - 60);
  });

  it('skips nothing after an outage', () => {
    const old = { ...sweep, fromMinute: MINUTE - 5_000 };
    expect(minutesToSweep(old, NOW)).toHaveLength(5_003);
  });
});

describe('needsMessage', () => {
  it.each([
    { what: 'never seen, far ahead', dueMs: NOW + 120_000, needed: true },
    { what: 'seen, not due', dueMs: NOW + 119_999, needed: false },
    { what: 'overdue for less than 30 s', dueMs: NOW - 29_999, needed: false },
    { what: 'overdue for 30 s', dueMs: NOW - 30_000, needed: true },
    { what: 'overdue for 1 min', dueMs: NOW - 60_000, needed: true },
    { what: 'overdue for 3 min 29 s', dueMs: NOW - 209_999, needed: true },
    { what: 'overdue for 3 min 30 s', dueMs: NOW - 210_000, needed: false },
    { what: 'overdue for 4 min', dueMs: NOW - 240_000, needed: false },
    { what: 'overdue for 5 min', dueMs: NOW - 300_000, needed: true },
    { what: 'overdue for 6 min', dueMs: NOW - 360_000, needed: false },
    { what: 'overdue for a day', dueMs: NOW - 86_400_000, needed: true },
  ])('$what: $needed', ({ dueMs, needed }) => {
    expect(needsMessage(dueMs, sweep, NOW)).toBe(needed);
  });

  it('sends what an outage has left, however late, because nobody has seen it', () => {
    expect(needsMessage(NOW - 240_000, { ...sweep, seenMs: NOW - 300_000 }, NOW)).toBe(true);
  });
});

describe('messageTimeMs', () => {
  it.each([
    { aheadMs: -5_000, delayMs: 0 },
    { aheadMs: 1_999, delayMs: 0 },
    { aheadMs: 2_000, delayMs: 1_000 },
    { aheadMs: 59_500, delayMs: 58_000 },
  ])('$aheadMs ms ahead waits $delayMs ms', ({ aheadMs, delayMs }) => {
    expect(messageTimeMs(NOW + aheadMs, NOW)).toBe(NOW + delayMs);
  });
});

describe('afterTick', () => {
  it.each([
    { what: 'all empty', firstFull: MINUTE + 3, fromMinute: MINUTE - 10 },
    { what: 'an old entry', firstFull: MINUTE - 12, fromMinute: MINUTE - 12 },
    { what: 'a young entry', firstFull: MINUTE - 2, fromMinute: MINUTE - 10 },
  ])('$what: the next tick begins at $fromMinute', ({ firstFull, fromMinute }) => {
    const old = { fromMinute: MINUTE - 20, seenMs: 0 };
    const next = afterTick(old, { firstFull, through: MINUTE + 2 }, NOW);
    expect(next).toEqual({ fromMinute, seenMs: (MINUTE + 3) * 60_000 });
  });

  it('never goes back', () => {
    expect(afterTick(sweep, { firstFull: 0, through: 0 }, NOW)).toEqual(sweep);
  });
});
