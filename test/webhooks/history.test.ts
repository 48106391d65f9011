import { beforeAll, describe, expect, it } from 'vitest';
import { useStillTime } from '../support/still-time.ts';
import { type DeliveryWorld, deliveryWorld } from './delivery-world.ts';
import { problemsOf } from './history.ts';
import { PLANTED, type Planted } from './planted.ts';

useStillTime();

const SEEDS = [1, 2, 3, 4, 5, 6];
/** So many histories at most show that a rule is left out. */
const HISTORIES_MAX = 40;
/** Few histories break without this rule: it begins near one that does. */
const FIRST_SEED: Partial<Record<Planted, number>> = { 'check for held': 115 };

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

describe('a history of pauses, limits, replays, failures, crashes and lost messages', () => {
  it.each(SEEDS)('%i settles, and sends nothing after a success', async (seed) => {
    expect(await problemsOf(world, seed)).toEqual([]);
  });
});

describe('histories show what goes wrong', () => {
  it.each(PLANTED)('without the %s', async (planted) => {
    const first = FIRST_SEED[planted] ?? 1;
    for (let seed = first; seed < first + HISTORIES_MAX; seed += 1) {
      const problems = await problemsOf(world, seed, planted);
      if (problems.length === 0) continue;
      expect(await problemsOf(world, seed)).toEqual([]);
      return;
    }
    expect.fail(`${HISTORIES_MAX} histories show nothing`);
  });
});
