import { SECOND_MS } from '../shared/units.ts';
import type { Block } from './block.ts';
import { type AlertFile, BLOCKS_LOOK_MS } from './file.ts';

/** How long after its time a resting block's message may still be on its way. */
const LATE_MS = 30 * SECOND_MS;
/** So long before its time it may have come already: a queue delays by whole seconds. */
const EARLY_MS = 2 * SECOND_MS;

interface Circumstances {
  readonly wasPaused?: boolean;
  readonly paceVersion?: number | undefined;
}

/**
 * The blocks that should be under way and seem not to be: nobody has them, and nobody waits for
 * their time. Of a file that was paused until now nobody does: what came meanwhile was not taken.
 * Nor does one count that waits by another version of its endpoint's pace than `paceVersion`. A
 * finished block hands over to the next but `window`, so that each of the `window` chains has one
 * block at its head. `touched` are the blocks from the file's floor on that anybody has begun; the
 * new `floor` is the first of all that is not finished.
 */
export function stalledBlocks(
  file: Pick<AlertFile, 'blocks' | 'window' | 'floor'> & Circumstances,
  touched: readonly Block[],
  nowMs: number,
): { readonly floor: number; readonly stalled: readonly number[] } {
  const known = new Map(touched.map((block) => [block.number, block]));
  const isFinished = (number: number) => known.get(number)?.finished === true;
  const chains = Array.from({ length: Math.min(file.window, file.blocks) }, (_, i) => i);
  const heads = chains.map((chain) => {
    let head = file.floor + ((chain - file.floor + file.window * file.blocks) % file.window);
    while (isFinished(head)) head += file.window;
    return head;
  });
  const floor = Math.min(file.blocks, ...heads);
  const stalled = heads.filter((it) => it < file.blocks && isStalled(known.get(it), file, nowMs));
  return { floor, stalled };
}

/**
 * When to look again at blocks that are under way: in a minute, or as soon as the first of their
 * workers must have ended, but not before half of it. A worker may have died in between.
 */
export function nextBlocksLookMs(touched: readonly Block[], nowMs: number): number {
  const leases = touched.flatMap(({ finished, leaseMs = 0 }) =>
    finished || leaseMs < nowMs ? [] : [leaseMs],
  );
  const endMs = Math.min(...leases) + SECOND_MS;
  return Math.min(nowMs + BLOCKS_LOOK_MS, Math.max(nowMs + BLOCKS_LOOK_MS / 2, endMs));
}

function isStalled(
  block: Block | undefined,
  { wasPaused, paceVersion }: Circumstances,
  nowMs: number,
): boolean {
  if (!block) return true;
  if (block.leaseMs !== undefined) return block.leaseMs < nowMs;
  if (block.paceVersion !== undefined && block.paceVersion < (paceVersion ?? 0)) return true;
  return (block.notBeforeMs ?? 0) + (wasPaused ? -EARLY_MS : LATE_MS) < nowMs;
}
