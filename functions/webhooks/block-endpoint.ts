import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';
import { blockAndMoveSlots, blockBeforeSlots, findPace } from './pace.store.ts';
import { nextBlock } from './pace.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log'>;

/** Two forms of one write exclude each other; beyond these rounds the table is in trouble. */
const ROUNDS = 5;

/**
 * Slows a whole endpoint down, because its receiver said that it is too busy. `askedMs` is how
 * long it wants to be left alone, if it said so. Answers until when that is. An attempt has its
 * outcome whether or not the others can be told, so that a failure is only logged.
 */
export async function blockEndpoint(
  world: Needs,
  endpoint: Endpoint,
  askedMs: number | undefined,
): Promise<number> {
  try {
    return await storeBlock(world, endpoint, askedMs);
  } catch (error) {
    const { tenantId, id: endpointId } = endpoint;
    world.log.error('endpoint.block-failed', { tenantId, endpointId, askedMs, error });
    return nextBlock({ refusals: 0 }, world.clock.nowMs(), askedMs).blockedUntilMs;
  }
}

async function storeBlock(
  { clock, db }: Needs,
  endpoint: Endpoint,
  askedMs: number | undefined,
): Promise<number> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = await findPace(db, endpoint);
    const block = nextBlock(seen, clock.nowMs(), askedMs);
    if (block.blockedUntilMs === seen.blockedUntilMs) return block.blockedUntilMs;
    for (const form of [blockAndMoveSlots, blockBeforeSlots]) {
      const commit = await db.commit([form(endpoint, { seen, block })]);
      if (commit.ok) return block.blockedUntilMs;
    }
  }
  throw new Problem('busy', { detail: 'The pace of the endpoint is being changed.' });
}
