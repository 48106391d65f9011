import { describe, expect, it } from 'vitest';
import { type Block, newBlock } from '../../functions/files/block.ts';
import { nextBlocksLookMs, stalledBlocks } from '../../functions/files/stalled-blocks.ts';

const NOW = 1_000_000;
const block = (number: number, given: Partial<Block>): Block => ({
  ...newBlock(number, 10),
  ...given,
});
const finished = (number: number) => block(number, { finished: true });
const busy = (number: number) => block(number, { leaseMs: NOW });
const dead = (number: number) => block(number, { leaseMs: NOW - 1 });
const resting = (number: number) => block(number, { notBeforeMs: NOW - 30_000 });
const forgotten = (number: number) => block(number, { notBeforeMs: NOW - 30_001 });

/** [what is so, blocks, window, floor, those touched, the new floor, those that stalled]. */
const CASES: readonly [string, number, number, number, Block[], number, number[]][] = [
  ['nothing was begun', 9, 3, 0, [], 0, [0, 1, 2]],
  ['there are fewer blocks than the window', 2, 8, 0, [], 0, [0, 1]],
  ['all heads are busy', 9, 3, 0, [busy(0), busy(1), busy(2)], 0, []],
  ['one worker died', 9, 3, 0, [busy(0), dead(1), busy(2)], 0, [1]],
  ['one rests', 9, 3, 0, [busy(0), resting(1), busy(2)], 0, []],
  ['one rests for too long', 9, 3, 0, [busy(0), forgotten(1), busy(2)], 0, [1]],
  ['a handover got lost', 9, 3, 0, [finished(0), busy(1), busy(2)], 1, [3]],
  ['one chain is far ahead', 9, 3, 0, [finished(0), busy(1), busy(2), finished(3), busy(6)], 1, []],
  ['one chain is at its end', 4, 2, 0, [finished(0), busy(1), finished(2)], 1, []],
  ['the floor is in the middle', 9, 3, 4, [busy(4), dead(5), finished(6)], 4, [5]],
  ['the last block is busy', 5, 2, 4, [busy(4)], 4, []],
  ['all are finished', 3, 2, 1, [finished(1), finished(2)], 3, []],
  ['there are none', 0, 0, 0, [], 0, []],
];

describe('blocks that seem to be forgotten', () => {
  it.each(CASES)('when %s', (_what, ...given) => {
    const [blocks, window, floor, touched, newFloor, stalled] = given;
    const found = stalledBlocks({ blocks, window, floor }, touched, NOW);
    expect({ ...found, stalled: found.stalled.toSorted() }).toEqual({ floor: newFloor, stalled });
  });
});

it('are all that rest and whose time has come, when their messages were not taken', () => {
  const given = { blocks: 9, window: 3, floor: 0 };
  // A queue may bring a message a second before its time, but no sooner.
  const early = block(1, { notBeforeMs: NOW + 2_000 });
  const touched = [block(0, { notBeforeMs: NOW + 1_999 }), early, busy(2)];
  expect(stalledBlocks(given, touched, NOW).stalled).toEqual([]);
  expect(stalledBlocks({ ...given, wasPaused: true }, touched, NOW).stalled).toEqual([0]);
});

it('are those that wait by an older pace of their endpoint', () => {
  const given = { blocks: 9, window: 3, floor: 0 };
  const waiting = (number: number, paceVersion?: number) =>
    block(number, { notBeforeMs: NOW + 60_000, paceVersion });
  const touched = [waiting(0, 3), waiting(1, 4), waiting(2)];
  expect(stalledBlocks({ ...given, paceVersion: 4 }, touched, NOW).stalled).toEqual([0]);
  expect(stalledBlocks(given, touched, NOW).stalled).toEqual([]);
});

describe('the next look at blocks', () => {
  const leased = (number: number, ms: number) => block(number, { leaseMs: NOW + ms });

  it.each<[string, Block[], number]>([
    ['nobody has one', [finished(0), resting(1)], 60_000],
    ['a worker must have ended soon', [leased(0, 10_000)], 30_000],
    ['the first must have ended later', [leased(0, 50_000), leased(1, 44_000)], 45_000],
    ['all may work for longer', [leased(0, 64_000)], 60_000],
    ['a finished one had a lease', [{ ...leased(0, 44_000), finished: true }], 60_000],
    ['a worker has died', [dead(0)], 60_000],
  ])('when %s', (_what, touched, ms) => {
    expect(nextBlocksLookMs(touched, NOW) - NOW).toBe(ms);
  });
});
