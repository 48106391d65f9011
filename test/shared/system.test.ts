import { expect, it } from 'vitest';
import { systemClock } from '../../functions/shared/system.ts';

it('never wakes before its time', async () => {
  const early = await Promise.all(
    Array.from({ length: 2_000 }, async (_, n) => {
      const ms = 1 + (n % 40) + Math.random();
      const endMs = systemClock.nowMs() + ms;
      await systemClock.sleep(ms);
      return endMs - systemClock.nowMs();
    }),
  );
  expect(early.filter((it) => it > 0)).toEqual([]);
});
