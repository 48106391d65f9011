import { describe, expect, it } from 'vitest';
import {
  afterVisits,
  type MinuteWatch,
  minutesToVisit,
  watchMinutes,
} from '../../functions/shared/minute-watch.ts';
import { testClock } from '../support/world.ts';

const NOW = 1_000_000;
const watch: MinuteWatch = { through: 100, open: [] };

const openAt = (minute: number, againMs = NOW) => ({ minute, againMs });

describe('minutesToVisit', () => {
  it.each([
    { newest: 103, minutes: [101, 102, 103] },
    { newest: 101, minutes: [101] },
    { newest: 100, minutes: [] },
    { newest: 90, minutes: [] },
  ])('goes up to $newest', ({ newest, minutes }) => {
    expect(minutesToVisit(watch, newest, NOW)).toEqual(minutes);
  });

  it('takes a bounded part after an outage, and then what has waited longest', () => {
    const open = [openAt(7), openAt(8, NOW + 1), openAt(9, NOW - 1)];
    const minutes = minutesToVisit({ through: 100, open }, 5_000, NOW);
    expect(minutes).toHaveLength(242);
    expect([minutes[0], ...minutes.slice(239)]).toEqual([101, 340, 9, 7]);
  });
});

describe('afterVisits', () => {
  const visits = (...done: boolean[]) =>
    done.map((isDone, index) => ({ minute: 101 + index, againMs: isDone ? undefined : NOW }));

  it('passes settled minutes, and keeps those with work left in mind', () => {
    expect(afterVisits(watch, visits(true, false, true), 103)).toEqual({
      through: 103,
      open: [openAt(102)],
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

  it('forgets a minute once its work is done, and notes when to look at it again', () => {
    const visited = [{ minute: 1 }, { minute: 2, againMs: NOW + 60 }];
    const next = afterVisits({ through: 100, open: [openAt(1), openAt(2)] }, visited, 100);
    expect(next).toEqual({ through: 100, open: [openAt(2, NOW + 60)] });
  });

  it('never jumps over a minute that was not visited', () => {
    const gap = [{ minute: 102 }];
    expect(afterVisits(watch, gap, 200).through).toBe(100);
  });

  it('has room for a day of minutes, each with damage in it', () => {
    const open = Array.from({ length: 1_440 }, (_, n) => openAt(n - 1_440));
    expect(afterVisits({ through: 100, open }, visits(false), 200).through).toBe(101);
  });

  it('waits where too many minutes have work left', () => {
    const full = { through: 100, open: Array.from({ length: 2_000 }, (_, n) => openAt(n - 2_000)) };
    expect(afterVisits(full, visits(false), 200).through).toBe(100);
    expect(afterVisits(full, visits(true), 200).through).toBe(101);
  });
});

describe('watchMinutes', () => {
  async function round(changes: { stopMs?: number; failsAt?: number; msEach?: number }) {
    const clock = testClock(NOW);
    const saved: MinuteWatch[] = [];
    const running = watchMinutes(
      { clock },
      {
        watch,
        newest: 150,
        settled: 150,
        stopMs: changes.stopMs ?? Infinity,
        visit: async (minute) => {
          if (minute === changes.failsAt) throw new Error('outage');
          clock.advance(changes.msEach ?? 200);
          return { minute };
        },
        save: async (next) => saved.push(next),
      },
    );
    await running.catch(() => undefined);
    return saved.map((it) => it.through);
  }

  it('saves the watch after each slice of minutes', async () => {
    expect(await round({})).toEqual([120, 140, 150]);
  });

  it('has saved what came before an outage', async () => {
    expect(await round({ failsAt: 145 })).toEqual([120, 140]);
  });

  it('saves it after five seconds as well, so that none dies again in the same slice', async () => {
    expect(await round({ msEach: 2_000, stopMs: NOW + 10_000 })).toEqual([103, 105]);
    expect(await round({ msEach: 60_000, failsAt: 102 })).toEqual([101]);
  });

  it.each([
    { seconds: 0, saved: [] },
    { seconds: 1, saved: [105] },
    { seconds: 5, saved: [120, 125] },
  ])('begins no visit after $seconds s, when its time is up', async ({ seconds, saved }) => {
    expect(await round({ stopMs: NOW + seconds * 1_000 })).toEqual(saved);
  });
});
