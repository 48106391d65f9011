import { describe, expect, it } from 'vitest';
import { advance, firstWatch, minutesToVisit } from '../../functions/webhooks/outbox-watch.ts';

const MINUTE = 29_395_230;
const NOW = MINUTE * 60_000 + 15_000;
const watch = { through: MINUTE - 5, open: [] };

describe('minutesToVisit', () => {
  it.each([
    { ageMs: 120_000, minutes: [-4, -3, -2] },
    { ageMs: 15_000, minutes: [-4, -3, -2, -1, 0] },
    { ageMs: 15_001, minutes: [-4, -3, -2, -1] },
    { ageMs: 600_000, minutes: [] },
  ])('goes up to the minute of events aged $ageMs', ({ ageMs, minutes }) => {
    const visited = minutesToVisit(watch, NOW, ageMs);
    expect(visited.map((it) => it - MINUTE)).toEqual(minutes);
  });

  it('visits first what was left, and after an outage a bounded part', () => {
    const old = { through: MINUTE - 1_000, open: [7] };
    const visited = minutesToVisit(old, NOW, 0);
    expect(visited).toHaveLength(241);
    expect(visited.slice(0, 2)).toEqual([7, MINUTE - 999]);
  });

  it('looks back an hour at the very first tick', () => {
    expect(minutesToVisit(firstWatch(NOW), NOW, 0)[0]).toBe(MINUTE - 59);
  });
});

describe('advance', () => {
  const visits = (...done: boolean[]) =>
    done.map((isDone, index) => ({ minute: MINUTE - 4 + index, isDone }));
  const endOf = (minute: number) => (minute + 1) * 60_000;

  it('passes minutes that are over, and keeps those with work left in mind', () => {
    const next = advance(watch, visits(true, false, true), endOf(MINUTE - 2));
    expect(next).toEqual({ through: MINUTE - 2, open: [MINUTE - 3] });
  });

  it('does not pass a minute of which some events are too young', () => {
    const next = advance(watch, visits(true, true), endOf(MINUTE - 3) - 1);
    expect(next).toEqual({ through: MINUTE - 4, open: [] });
  });

  it('forgets a minute once nothing is left to do there', () => {
    const open = { through: MINUTE, open: [1, 2] };
    const done = [
      { minute: 1, isDone: true },
      { minute: 2, isDone: false },
    ];
    expect(advance(open, done, endOf(MINUTE))).toEqual({ through: MINUTE, open: [2] });
  });

  it('waits where too many minutes have work left', () => {
    const full = { through: MINUTE - 5, open: Array.from({ length: 1_000 }, (_, n) => n) };
    expect(advance(full, visits(false), endOf(MINUTE)).through).toBe(MINUTE - 5);
    expect(advance(full, visits(true), endOf(MINUTE)).through).toBe(MINUTE - 4);
  });
});
