import { describe, expect, it } from 'vitest';
import { isStuck, messageTimeMs, needsMessage, sentAgain } from '../../functions/timers/sweep.ts';

const NOW = 29_395_230 * 60_000 + 15_000;

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
    expect(needsMessage(dueMs, NOW + 120_000, NOW)).toBe(needed);
  });

  it('sends what an outage has left, however late, because nobody has seen it', () => {
    expect(needsMessage(NOW - 240_000, NOW - 300_000, NOW)).toBe(true);
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

describe('what is given up', () => {
  const HOUR = 3_600_000;
  it.each([
    [undefined, false],
    [{ count: 10, sinceMs: NOW - 6 * HOUR }, true],
    [{ count: 9, sinceMs: NOW - 24 * HOUR }, false],
    [{ count: 100, sinceMs: NOW - 6 * HOUR + 1 }, false],
  ])('after these sends: %j: %s', (sends, expected) => {
    expect(isStuck(sends, NOW)).toBe(expected);
  });

  it('is counted by what was sent', () => {
    const first = sentAgain(undefined, NOW);
    expect(first).toEqual({ count: 1, sinceMs: NOW });
    expect(sentAgain(first, NOW + HOUR)).toEqual({ count: 2, sinceMs: NOW });
  });
});
