import { describe, expect, it } from 'vitest';
import { afterVisits, minutesToVisit } from '../../functions/shared/minute-watch.ts';

const watch = { through: 100, open: [] };

describe('minutesToVisit', () => {
  it.each([
    { newest: 103, minutes: [101, 102, 103] },
    { newest: 101, minutes: [101] },
    { newest: 100, minutes: [] },
    { newest: 90, minutes: [] },
  ])('goes up to $newest', ({ newest, minutes }) => {
    expect(minutesToVisit(watch, newest)).toEqual(minutes);
  });

  it('visits first what has work left, and after an outage a bounded part', () => {
    const minutes = minutesToVisit({ through: 100, open: [7, 9] }, 5_000);
    expect(minutes).toHaveLength(242);
    expect([...minutes.slice(0, 3), minutes.at(-1)]).toEqual([7, 9, 101, 340]);
  });
});

describe('afterVisits', () => {
  const visits = (...done: boolean[]) =>
    done.map((isDone, index) => ({ minute: 101 + index, isDone }));

  it('passes settled minutes, and keeps those with work left in mind', () => {
    expect(afterVisits(watch, visits(true, false, true), 103)).toEqual({
      through: 103,
      open: [102],
    });
  });

  it.each([
    { settled: 100, through: 100 },
    { settled: 101, through: 101 },
    { settled: 102, through: 102 },
    { settled: 999, through: 102 },
  ])('passes no minute after $settled, and none unvisited', ({ settled, through }) => {
    expect(afterVisits(watch, visits(true, true), settled).through).toBe(through);
  });

  it('forgets a minute once its work is done', () => {
    const done = [
      { minute: 1, isDone: true },
      { minute: 2, isDone: false },
    ];
    const next = afterVisits({ through: 100, open: [1, 2] }, done, 100);
    expect(next).toEqual({ through: 100, open: [2] });
  });

  it('never jumps over a minute that was not visited', () => {
    const gap = [{ minute: 102, isDone: true }];
    expect(afterVisits(watch, gap, 200).through).toBe(100);
  });

  it('waits where too many minutes have work left', () => {
    const full = { through: 100, open: Array.from({ length: 1_000 }, (_, n) => n - 1_000) };
    expect(afterVisits(full, visits(false), 200).through).toBe(100);
    expect(afterVisits(full, visits(true), 200).through).toBe(101);
  });
});
