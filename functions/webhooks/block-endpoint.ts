import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import type { Attempt } from './attempt.ts';
import type { Endpoint } from './endpoint.ts';
import { blockPace, findPace, slowPace } from './pace.store.ts';
import { halvedRate, type LearnedRate, limitOf, nextBlock, type Pace, RESTART_MS } from './pace.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'>;

/** How a receiver says that it is too busy: by which status, and for how long. */
export type Refusal = Pick<Attempt, 'status' | 'retryAfterMs'>;

/** Many refusals come at the same moment, and each but one loses against another. */
const ROUNDS = 8;
const PAUSE = { baseMs: 10, capMs: 400 };
/** Nobody needs to write a block that ends so little later than the one that there is. */
const NEAR_MS = 250;

/**
 * Slows a whole endpoint down, because its receiver said that it is too busy, and answers until
 * when it is left alone. An attempt has its outcome whether or not the others can be told, so that
 * a failure is only logged.
 */
export async function blockEndpoint(
  world: Needs,
  endpoint: Endpoint,
  refusal: Refusal,
): Promise<number> {
  try {
    return await storeBlock(world, endpoint, refusal);
  } catch (error) {
    const { tenantId, id: endpointId } = endpoint;
    const { retryAfterMs: askedMs } = refusal;
    world.log.error('endpoint.block-failed', { tenantId, endpointId, askedMs, error });
    return nextBlock({ refusals: 0 }, world.clock.nowMs(), askedMs).blockedUntilMs;
  }
}

async function storeBlock(
  { clock, db, ids }: Needs,
  endpoint: Endpoint,
  refusal: Refusal,
): Promise<number> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const nowMs = clock.nowMs();
    const seen = await findPace(db, endpoint);
    const block = nextBlock(seen, nowMs, refusal.retryAfterMs);
    const learned = learn(endpoint, { seen, refusal, nowMs });
    const { blockedUntilMs: endMs = 0 } = seen;
    if (!learned && block.blockedUntilMs <= endMs + NEAR_MS) return Math.max(endMs, nowMs);

    const change = { seen, block };
    // Who sends by the old limit would add to the new one; where there was none, nobody counts.
    const startMs = limitOf(endpoint, seen) === undefined ? nowMs : nowMs + RESTART_MS;
    const write = learned
      ? slowPace(endpoint, { ...change, learned, startMs })
      : blockPace(endpoint, change);
    const commit = await db.commit([write]);
    if (commit.ok) return block.blockedUntilMs;
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
  }
  throw new Problem('busy', { detail: 'The pace of the endpoint is being changed.' });
}

interface Lesson {
  readonly seen: Pace;
  readonly refusal: Refusal;
  readonly nowMs: number;
}

/**
 * The rate from now on, if it has to be another one. A receiver that names a time has told what it
 * wants; but where nobody has named a limit, all that waits would come at once after that time.
 */
function learn(endpoint: Endpoint, { seen, refusal, nowMs }: Lesson): LearnedRate | undefined {
  const limit = limitOf(endpoint, seen);
  const isTooFast = refusal.status === 429;
  if (!isTooFast || (limit !== undefined && refusal.retryAfterMs !== undefined)) return undefined;
  return halvedRate(limit, seen, nowMs);
}
