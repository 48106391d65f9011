import { fullJitterMs } from './backoff.ts';
import { Problem } from './problem.ts';
import type { Commit, World, Write } from './world.ts';

const TRIES_MAX = 6;
const BACKOFF = { baseMs: 10, capMs: 400 };

/**
 * Commits, and tries again while nothing but another transaction is in the way: copies of one
 * creation meet like this. Resolves when it is done or a condition refuses it; after six tries it
 * is refused with `busy`.
 */
export async function commitDespiteConflicts(
  world: Pick<World, 'clock' | 'db' | 'ids'>,
  writes: readonly Write[],
): Promise<Commit> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const commit = await world.db.commit(writes);
    if (commit.ok) return commit;
    const codes = commit.reasons.map((it) => it.code);
    // Where the first write itself was in the way, nobody knows yet whether its condition holds.
    const isJudged = codes[0] === 'none' || codes[0] === 'condition';
    if (isJudged && codes.includes('condition')) return commit;
    if (codes.includes('other')) throw new Error(`cancelled: ${codes}`);
    await world.clock.sleep(fullJitterMs(tries, BACKOFF, world.ids.random()));
  }
  throw new Problem('busy', {
    detail: 'Others are creating the same. Retry with the same Idempotency-Key.',
    retryAfterSeconds: 1,
  });
}
