import { fullJitterMs } from '../shared/backoff.ts';
import { Problem, type ProblemCode } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Reason, World, Write } from '../shared/world.ts';
import { letShow } from './read-whole.ts';
import type { Transaction } from './transaction.ts';

/** What is counted of a transaction. */
type Entered = Pick<Transaction, 'status' | 'type' | 'createdAtMs'>;

/** What is to be done, by these writes together. */
export interface Plan<Result> {
  readonly result: Result;
  /** The transactions that the journal gets by it. */
  readonly entered?: readonly Entered[];
  readonly writes: readonly Write[];
}

/** What one look at the tables came to: it was done before, or is to be done now. */
export type Step<Result> = { readonly done: Result } | Plan<Result>;

const TRIES_MAX = 10;
const TRYING_MS_MAX = 2 * SECOND_MS;
/**
 * The first pause is that of several commits: who comes back at once collides again, and a failed
 * commit costs as much as a good one.
 */
const BACKOFF = { baseMs: 40, capMs: 400 };

/**
 * What another copy of the same request can make look so. A batch of reads is no snapshot: it may
 * have missed the record of that copy, and seen what it did to the accounts.
 */
const UNSURE: readonly ProblemCode[] = [
  'precondition_failed',
  'already_reversed',
  'hold_resolved',
  'conflict',
];

/** No entry is dated before the one that it follows. Clocks that differ by more are wrong. */
const AHEAD_MS = SECOND_MS;

/** A decision that is older than this is made anew: it bears the time at which it was made. */
const DECISION_MS_MAX = 2 * SECOND_MS;

/**
 * Reads, decides and commits, again and again until nobody else is in the way. The first of the
 * writes is the record of the Idempotency-Key: when that is refused, another copy of the request
 * won, and the next look finds it. Refuses with `busy` when others kept touching the same items
 * or the table is throttled, and with whatever `look` refuses.
 */
export async function commitMoney<Result>(
  world: Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters'>,
  look: () => Promise<Step<Result>>,
): Promise<Result> {
  const startMs = world.clock.nowMs();
  let isRefused = false;
  for (let tries = 0; ; tries += 1) {
    const lookedMs = world.clock.nowMs();
    const step = await lookSurely(world, look);
    if ('done' in step) return step.done;
    // Only behind a look: a write that is asked for again when its answer is lost refuses itself.
    const isLate = isRefused && world.clock.nowMs() - startMs > TRYING_MS_MAX;
    if (isLate || tries === TRIES_MAX) break;
    if (world.clock.nowMs() - lookedMs > DECISION_MS_MAX) continue;
    const commit = await world.db.commit(step.writes);
    if (commit.ok) {
      for (const it of step.entered ?? []) countTransaction(it, world);
      return step.result;
    }
    assertWorthRetrying(commit.reasons);
    isRefused = true;
    // Full jitter: those who collided do not collide again in step.
    await world.clock.sleep(fullJitterMs(tries, BACKOFF, world.ids.random()));
  }
  world.log.warn('ledger.busy');
  throw busy('The accounts are under contention. Retry with the same Idempotency-Key.');
}

async function lookSurely<Found>(
  world: Pick<World, 'clock'>,
  look: () => Promise<Found>,
): Promise<Found> {
  try {
    return await look();
  } catch (error) {
    const isUnsure = error instanceof Problem && UNSURE.includes(error.code);
    if (!isUnsure) throw error;
    await letShow(world);
    return look();
  }
}

function countTransaction(
  { status, type, createdAtMs }: Entered,
  { clock, meters }: Pick<World, 'clock' | 'meters'>,
): void {
  meters.count('tallyhook_transactions_total', { status, type });
  if (createdAtMs > clock.nowMs() + AHEAD_MS) meters.count('tallyhook_ledger_ahead_total', {});
}

/**
 * A condition or a conflict: somebody moved an item, and the next look sees how. Throttling gets
 * worse by retrying at once.
 */
function assertWorthRetrying(reasons: readonly Reason[]): void {
  const codes = new Set(reasons.map((it) => it.code));
  if (reasons[0]?.code === 'condition') return;
  if (codes.has('throttled')) {
    throw busy('The ledger is throttled. Retry with the same Idempotency-Key.');
  }
  if (!codes.has('condition') && !codes.has('conflict')) {
    throw new Error(`a commit was cancelled for ${[...codes].join(', ')}`);
  }
}

function busy(detail: string): Problem {
  return new Problem('busy', { detail, retryAfterSeconds: 1 });
}
