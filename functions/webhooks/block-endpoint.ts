import type { World } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';
import { findPace, replacePace } from './pace.store.ts';
import { blockPace } from './pace.ts';

/** Beyond these, others have blocked the endpoint at the same moment anyway. */
const ROUNDS = 3;

/**
 * Slows a whole endpoint down, because its receiver said that it is too busy. `askedMs` is how
 * long it wants to be left alone, if it said so. Answers until when it is.
 */
export async function blockEndpoint(
  { clock, db }: Pick<World, 'clock' | 'db'>,
  endpoint: Endpoint,
  askedMs: number | undefined,
): Promise<number> {
  let untilMs = clock.nowMs();
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = await findPace(db, endpoint);
    const pace = blockPace(seen, clock.nowMs(), askedMs);
    untilMs = pace.blockedUntilMs ?? untilMs;
    if (pace.blockedUntilMs === seen.blockedUntilMs) return untilMs;
    const commit = await db.commit([replacePace(endpoint, seen, pace)]);
    if (commit.ok) return untilMs;
  }
  return untilMs;
}
