import { type Bitmap, countBits, emptyBitmap, hasBit, withBits, withoutBits } from './bitmap.ts';
import { NO_OUTCOMES, type Outcomes } from './file.ts';

/**
 * Up to 1,000 users of a file, who are alerted by one worker at a time. What is known of each
 * user is one bit in each bitmap, by the user's place in the block.
 */
export interface Block {
  readonly number: number;
  readonly users: number;
  /** A worker was about to send. Without a bit below, nobody knows whether it did. */
  readonly attempted: Bitmap;
  readonly delivered: Bitmap;
  /** The first attempt failed, and a delivery of its own has taken over. */
  readonly retried: Bitmap;
  /** Left to a person, because nobody knows the outcome. */
  readonly uncertain: Bitmap;
  /** Final outcomes of the retried ones, which others write while a worker has the block. */
  readonly settled: Settled;
  /** Until when its worker may still be alive. */
  readonly leaseMs?: number | undefined;
  /** Of the worker that has it: nobody else may write. */
  readonly token?: string | undefined;
  /** Nobody need begin before this time, as long as the pace of the endpoint is of this version. */
  readonly notBeforeMs?: number | undefined;
  readonly paceVersion?: number | undefined;
  /** When a worker took it last. */
  readonly atMs?: number | undefined;
  readonly finished: boolean;
  /** Its file was cancelled: whoever has no result will never get the alert. */
  readonly stopped?: true | undefined;
  /** How far the last retry of its file has come in it. */
  readonly sentAgain?: SentAgain | undefined;
}

/** Who is failed below this place has failed again since, and waits for the next retry. */
export interface SentAgain {
  /** Retries of a file are counted from 1. */
  readonly retry: number;
  readonly below: number;
}

export interface Settled {
  /** How often it was stored. */
  readonly version: number;
  readonly delivered: Bitmap;
  readonly failed: Bitmap;
  readonly uncertain: Bitmap;
  readonly cancelled: Bitmap;
}

/** What first attempts came to. The `unsent` ones are as if nobody had ever tried. */
export interface BatchResult {
  readonly delivered: readonly number[];
  readonly retried: readonly number[];
  readonly uncertain: readonly number[];
  readonly unsent: readonly number[];
}

/** A block that nobody has touched. */
export function newBlock(number: number, users: number): Block {
  const none = emptyBitmap(users);
  return {
    number,
    users,
    attempted: none,
    delivered: none,
    retried: none,
    uncertain: none,
    settled: { version: 0, delivered: none, failed: none, uncertain: none, cancelled: none },
    finished: false,
  };
}

/** Whether the user's first attempt has a known result. */
function hasResult({ delivered, retried, uncertain }: Block, place: number): boolean {
  return hasBit(delivered, place) || hasBit(retried, place) || hasBit(uncertain, place);
}

/** The first users, at most `count`, who have no result yet. */
export function nextPlaces(block: Block, count: number): number[] {
  const places: number[] = [];
  for (let place = 0; place < block.users && places.length < count; place += 1) {
    if (!hasResult(block, place)) places.push(place);
  }
  return places;
}

/** Users whom a worker that died may or may not have alerted. */
export function unknownPlaces(block: Block): number[] {
  return nextPlaces(block, block.users).filter((place) => hasBit(block.attempted, place));
}

/** The block with these users marked as about to be alerted. */
export function withAttempted(block: Block, places: readonly number[]): Block {
  return { ...block, attempted: withBits(block.attempted, places) };
}

/** The block with the results of a batch. */
export function withResults(block: Block, result: BatchResult): Block {
  return {
    ...block,
    attempted: withoutBits(block.attempted, result.unsent),
    delivered: withBits(block.delivered, result.delivered),
    retried: withBits(block.retried, result.retried),
    uncertain: withBits(block.uncertain, result.uncertain),
  };
}

/** The final outcomes that the block's own worker saw. Those of retries are counted apart. */
export function outcomesOf(block: Block): Outcomes {
  const cancelled = block.stopped ? nextPlaces(block, block.users).length : 0;
  const [delivered, uncertain] = [countBits(block.delivered), countBits(block.uncertain)];
  return { ...NO_OUTCOMES, delivered, uncertain, cancelled };
}

/** A final outcome of a user. */
export type Outcome = keyof Outcomes;

/** What is known of one user; `pending` while a retry may still succeed. */
export function outcomeAt(block: Block, place: number): Outcome | 'pending' {
  const { settled } = block;
  if (hasBit(block.delivered, place) || hasBit(settled.delivered, place)) return 'delivered';
  if (hasBit(settled.failed, place)) return 'failed';
  if (hasBit(block.uncertain, place) || hasBit(settled.uncertain, place)) return 'uncertain';
  const isStopped = block.stopped === true && !hasBit(block.retried, place);
  return isStopped || hasBit(settled.cancelled, place) ? 'cancelled' : 'pending';
}

/** Users with a delivery of their own whose final outcome is not counted yet. */
export function unsettledPlaces(block: Block): number[] {
  return Array.from({ length: block.users }, (_, place) => place).filter(
    (place) => hasBit(block.retried, place) && outcomeAt(block, place) === 'pending',
  );
}

/**
 * Counts the final outcome of a retried user, once: `change` is what it does to the file. A
 * success replaces an earlier failure, because a person may have had it sent again; nothing
 * replaces a success. Undefined when there is nothing to change.
 */
export function settle(
  block: Block,
  place: number,
  outcome: Outcome,
): { readonly block: Block; readonly change: Outcomes } | undefined {
  const before = outcomeAt(block, place);
  if (!hasBit(block.retried, place) || before === outcome) return undefined;
  if (before !== 'pending' && outcome !== 'delivered') return undefined;

  const { settled } = block;
  const change = { ...NO_OUTCOMES, [outcome]: 1, ...(before !== 'pending' && { [before]: -1 }) };
  const cleared = before === 'pending' ? {} : { [before]: withoutBits(settled[before], [place]) };
  const marked = { [outcome]: withBits(settled[outcome], [place]) };
  return { block: { ...block, settled: { ...settled, ...cleared, ...marked } }, change };
}

/**
 * Users whom the file failed to reach, or of whom nobody knows, but for those whom this retry has
 * reopened already. Whom the block's own worker does not know of, the file counts when the block
 * is finished, and not before.
 */
export function placesToResend(block: Block, retry: number): number[] {
  const { sentAgain } = block;
  const below = sentAgain?.retry === retry ? sentAgain.below : 0;
  return Array.from({ length: block.users }, (_, place) => place).filter((place) => {
    if (place < below) return false;
    const outcome = outcomeAt(block, place);
    const isCounted = block.finished || !hasBit(block.uncertain, place);
    return outcome === 'failed' || (outcome === 'uncertain' && isCounted);
  });
}

/** The block with these users pending again, each with a delivery of its own, and the change. */
export function withReopened(
  block: Block,
  places: readonly number[],
  retry: number,
): { readonly block: Block; readonly change: Outcomes } {
  const { settled } = block;
  const failed = places.filter((place) => outcomeAt(block, place) === 'failed').length;
  const change = { ...NO_OUTCOMES, failed: 0 - failed, uncertain: failed - places.length };
  const again = {
    ...settled,
    failed: withoutBits(settled.failed, places),
    uncertain: withoutBits(settled.uncertain, places),
  };
  const retried = withBits(block.retried, places);
  const uncertain = withoutBits(block.uncertain, places);
  const sentAgain = { retry, below: 1 + Math.max(-1, ...places) };
  return { block: { ...block, retried, uncertain, settled: again, sentAgain }, change };
}
