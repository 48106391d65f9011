import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Crowd, type Member } from '../../local/lambda/crowd.ts';

// Nobody gets idle for longer while a test looks.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

/** A function with so many instances, of which the longest idle one is idle for so long. */
function memberOf(crowd: Crowd, size: number, idleMs?: number, waiting = 0) {
  const member = {
    size,
    waiting,
    idleSinceMs: idleMs === undefined ? undefined : Date.now() - idleMs,
    endLongestIdle() {
      member.size -= 1;
      member.idleSinceMs = undefined;
    },
  } satisfies Member;
  crowd.join(member);
  return member;
}

describe('Crowd', () => {
  it.each([
    [7, true],
    [8, false],
  ])('beside %i instances of others admits a second one: %s', (others, isAdmitted) => {
    const crowd = new Crowd(9);
    memberOf(crowd, others);
    expect(crowd.admits(memberOf(crowd, 1))).toBe(isAdmitted);
  });

  it('does not count an instance that waits for somebody else', () => {
    const crowd = new Crowd(4);
    const other = memberOf(crowd, 3, undefined, 1);
    const asking = memberOf(crowd, 1);
    expect(crowd.admits(asking)).toBe(true);
    other.waiting = 0;
    expect(crowd.admits(asking)).toBe(false);
  });

  it('has at most half as many more, because all may wait for the processor', () => {
    const crowd = new Crowd(4);
    const other = memberOf(crowd, 4, undefined, 4);
    const asking = memberOf(crowd, 1);
    expect(crowd.admits(asking)).toBe(true);
    other.size = 5;
    expect(crowd.admits(asking)).toBe(false);
  });

  it.each([
    [1, 1, 20, true],
    [2, 1, 1, false],
    [2, 2, 1, true],
    [3, 2, 18, true],
    [3, 2, 19, false],
  ])(
    'when it is full, %i instances of which %i wait, and %i of another: one more is %s',
    (...of) => {
      const [size, waiting, others, isAdmitted] = of;
      const crowd = new Crowd(1);
      memberOf(crowd, others, undefined);
      expect(crowd.admits(memberOf(crowd, size, undefined, waiting))).toBe(isAdmitted);
    },
  );

  it('ends an idle instance also for one more where others wait', () => {
    const crowd = new Crowd(1);
    const idle = memberOf(crowd, 2, 2_000);
    expect(crowd.admits(memberOf(crowd, 1, undefined, 1))).toBe(true);
    expect(idle.size).toBe(1);
  });

  it('always admits the first instance of a function, and ends none for it', () => {
    const crowd = new Crowd(2);
    const other = memberOf(crowd, 2, 5_000);
    expect(crowd.admits(memberOf(crowd, 0))).toBe(true);
    expect(other.size).toBe(2);
  });

  it('ends the longest idle instance of another function for a new one', () => {
    const crowd = new Crowd(4);
    const [short, long, asking] = [
      memberOf(crowd, 1, 2_000),
      memberOf(crowd, 1, 3_000),
      memberOf(crowd, 2, 9_000),
    ];
    expect(crowd.admits(asking)).toBe(true);
    expect([short.size, long.size, asking.size]).toEqual([1, 0, 2]);
  });

  it('leaves an instance that is between two events', () => {
    const crowd = new Crowd(2);
    const other = memberOf(crowd, 1, 500);
    expect(crowd.admits(memberOf(crowd, 1))).toBe(false);
    expect(other.size).toBe(1);
  });

  it('ends one at most for each that it admits', () => {
    const crowd = new Crowd(2);
    const other = memberOf(crowd, 3, 5_000);
    expect(crowd.admits(memberOf(crowd, 1))).toBe(false);
    expect(other.size).toBe(2);
  });
});
