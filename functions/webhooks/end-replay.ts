import { fullJitterMs } from '../shared/backoff.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { requireReplay } from './read-replays.ts';
import { careMessage, saveRelease } from './release.store.ts';
import { cancelReplay } from './release.ts';
import { cancelReplayRoute } from './replay.contract.ts';
import { replayView } from './replay-view.ts';
import { tellQueue } from './tell-queue.ts';

/** A step of the replay may be under way. */
const ROUNDS = 8;
const PAUSE = { baseMs: 50, capMs: SECOND_MS };

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/**
 * DELETE /v1/replays/{id}: nothing more is taken up, and what waits for its slot becomes what it
 * was before, within a minute. One that is over stays as it is.
 */
export const endReplay = route(cancelReplayRoute, async ({ tenantId, params }, world: Needs) => {
  const { clock, db, ids } = world;
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = await requireReplay(tenantId, params.id, world);
    if (found.status !== 'running') return { body: replayView(found) };
    const ended = cancelReplay(found, clock.nowMs());
    const commit = await db.commit([saveRelease(found, ended, clock.nowMs())]);
    if (commit.ok) {
      if (ended.dueMs !== undefined) {
        await tellQueue('endpoint-care', careMessage(ended), world);
      }
      return { body: replayView(ended) };
    }
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
  }
  throw new Problem('busy', { detail: 'The replay is being worked on. Try again.' });
});
