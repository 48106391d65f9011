import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import { findEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** What becomes of an endpoint as it was found, and the writes that make it so, if any. */
export interface Decision<Result> {
  readonly result: Result;
  readonly writes: readonly Write[];
}

/** Changes of one tenant's endpoints at the same moment meet at the version of its set. */
const ROUNDS = 8;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

/**
 * Reads the endpoint, decides and commits, and decides anew on what it finds when somebody was
 * quicker. Refuses with `not_found` what is not there or was deleted, and with `busy` when others
 * are always quicker.
 */
export async function changeEndpoint<Result>(
  { tenantId, id }: Pick<Endpoint, 'tenantId'> & { readonly id: string },
  world: Needs,
  decide: (endpoint: Endpoint) => Decision<Result> | Promise<Decision<Result>>,
): Promise<Result> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const endpoint = await findEndpoint(world.db, tenantId, id);
    if (!endpoint) throw new Problem('not_found');
    const { result, writes } = await decide(endpoint);
    if (writes.length === 0) return result;
    const commit = await world.db.commit(writes);
    if (commit.ok) return result;
    const codes = commit.reasons.map((it) => it.code);
    if (codes.includes('other')) throw new Error(`a commit was cancelled for ${codes.join(', ')}`);
    await world.clock.sleep(fullJitterMs(round, PAUSE, world.ids.random()));
  }
  throw new Problem('busy', {
    detail: 'Endpoints of this tenant are being changed by others. Try again.',
    retryAfterSeconds: 1,
  });
}
