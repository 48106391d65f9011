import { fullJitterMs } from '../shared/backoff.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { requireReplay } from './read-replays.ts';
import { saveRelease } from './release.store.ts';
import { finish } from './release.ts';
import { cancelReplayRoute } from './replay.contract.ts';
import { replayView } from './replay-view.ts';

/** A step of the replay may be under way. */
const ROUNDS = 8;
const PAUSE = { baseMs: 50, capMs: SECOND_MS };

/**
 * DELETE /v1/replays/{id}: nothing more is taken up. A delivery keeps its status until the replay
 * comes to it, so that there is nothing to put back. One that is over stays as it is.
 */
export const endReplay = route(
  cancelReplayRoute,
  async ({ tenantId, params }, world: Pick<World, 'clock' | 'db' | 'ids'>) => {
    const { clock, db, ids } = world;
    for (let round = 0; round < ROUNDS; round += 1) {
      const found = await requireReplay(tenantId, params.id, world);
      if (found.status !== 'running') return { body: replayView(found) };
      const ended = finish(found, 'cancelled');
      const commit = await db.commit([saveRelease(found, ended, clock.nowMs())]);
      if (commit.ok) return { body: replayView(ended) };
      await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
    }
    throw new Problem('busy', { detail: 'The replay is being worked on. Try again.' });
  },
);
