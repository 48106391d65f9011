import { describe, expect, it } from 'vitest';
import {
  type Block,
  newBlock,
  nextPlaces,
  type Outcome,
  outcomeAt,
  outcomesOf,
  settle,
  unknownPlaces,
  unsettledPlaces,
  withAttempted,
  withResults,
} from '../../functions/files/block.ts';
import { NO_OUTCOMES } from '../../functions/files/file.ts';

const none = { delivered: [], retried: [], uncertain: [], unsent: [] };
const fresh = newBlock(7, 6);

/** 0 delivered, 1 retried, 2 uncertain, 3 attempted by a worker that died; 4 and 5 untouched. */
const torn: Block = withResults(withAttempted(fresh, [0, 1, 2, 3]), {
  ...none,
  delivered: [0],
  retried: [1],
  uncertain: [2],
});

describe('a block', () => {
  it('gives out its users in order, those of a dead worker too', () => {
    expect(nextPlaces(fresh, 4)).toEqual([0, 1, 2, 3]);
    expect(nextPlaces(torn, 25)).toEqual([3, 4, 5]);
    expect(nextPlaces(torn, 2)).toEqual([3, 4]);
  });

  it('knows whom a dead worker may have alerted', () => {
    expect(unknownPlaces(torn)).toEqual([3]);
    expect(unknownPlaces(fresh)).toEqual([]);
  });

  it('takes back whom nobody tried to alert', () => {
    const back = withResults(withAttempted(fresh, [0, 1]), {
      ...none,
      delivered: [0],
      unsent: [1],
    });
    expect(unknownPlaces(back)).toEqual([]);
    expect(nextPlaces(back, 1)).toEqual([1]);
  });

  it('counts what its own worker saw, and leaves retries to others', () => {
    expect(outcomesOf(torn)).toEqual({ ...NO_OUTCOMES, delivered: 1, uncertain: 1 });
    expect(unsettledPlaces(torn)).toEqual([1]);
  });
});

describe('a final outcome of a retried user', () => {
  const ended = (...outcomes: Outcome[]): Block =>
    outcomes.reduce((block, it) => settle(block, 1, it)?.block ?? block, torn);

  it.each<[Outcome]>([['delivered'], ['failed'], ['uncertain'], ['cancelled']])(
    '%s is counted once',
    (outcome) => {
      const step = settle(torn, 1, outcome);
      expect(step?.change).toEqual({ ...NO_OUTCOMES, [outcome]: 1 });
      expect(step && outcomeAt(step.block, 1)).toBe(outcome);
      expect(step && unsettledPlaces(step.block)).toEqual([]);
      expect(step && settle(step.block, 1, outcome)).toBeUndefined();
    },
  );

  it.each<[Outcome]>([['failed'], ['uncertain'], ['cancelled']])(
    '%s gives way to a success, once',
    (outcome) => {
      const step = settle(ended(outcome), 1, 'delivered');
      expect(step?.change).toEqual({ ...NO_OUTCOMES, [outcome]: -1, delivered: 1 });
      expect(step && outcomeAt(step.block, 1)).toBe('delivered');
      expect(step && settle(step.block, 1, outcome)).toBeUndefined();
    },
  );

  it('does not give way to another failure', () => {
    expect(settle(ended('failed'), 1, 'uncertain')).toBeUndefined();
  });

  it.each([0, 2, 3, 4])('of user %d, who has no delivery, changes nothing', (place) => {
    expect(settle(torn, place, 'failed')).toBeUndefined();
  });
});
