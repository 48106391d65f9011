import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Reason, World, Write } from '../shared/world.ts';

/** What is to be done, by these writes together. */
export interface Plan<Result> {
  readonly result: Result;
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
 * Reads, decides and commits, again and again until nobody else is in the way. The first of the
 * writes is the record of the Idempotency-Key: when that is refused, another copy of the request
 * won, and the next look finds it. Refuses with `busy` when others kept touching the same items
 * or the table is throttled, and with whatever `look` refuses.
 */
export async function commitMoney<Result>(
  world: Pick<World, 'clock' | 'db' | 'ids' | 'log'>,
  look: () => Promise<Step<Result>>,
): Promise<Result> {
  const startMs = world.clock.nowMs();
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const step = await look();
    if ('done' in step) return step.done;
    const commit = await world.db.commit(step.writes);
    if (commit.ok) return step.result;
    assertWorthRetrying(commit.reasons);
    if (world.clock.nowMs() - startMs > TRYING_MS_MAX) break;
    // Full jitter: those who collided do not collide again in step.
    await world.clock.sleep(fullJitterMs(tries, BACKOFF, world.ids.random()));
  }
  world.log.warn('ledger.busy');
  throw busy('The accounts are under contention. Retry with the same Idempotency-Key.');
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
