import * as fc from 'fast-check';

/** Chance that a seed repeats. */
export interface Dice {
  /** An integer from 0 to below `count`. */
  below(count: number): number;
  /** One of a list that is not empty. */
  pick<Value>(list: readonly Value[]): Value;
  /** True in this share of all cases. */
  chance(share: number): boolean;
  /** One value of an arbitrary. */
  draw<Value>(arbitrary: fc.Arbitrary<Value>): Value;
}

/** Numbers in [0, 1) that depend on the seed only (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Equal seeds give equal throws. */
export function diceOf(seed: number): Dice {
  const next = randomOf(seed);
  const below = (count: number) => Math.floor(next() * count);
  return {
    below,
    pick: <Value>(list: readonly Value[]) => {
      if (list.length === 0) throw new Error('nothing to pick from');
      return list[below(list.length)] as Value;
    },
    chance: (share) => next() < share,
    draw: <Value>(arbitrary: fc.Arbitrary<Value>) =>
      fc.sample(arbitrary, { seed: below(2 ** 31), numRuns: 1 })[0] as Value,
  };
}
