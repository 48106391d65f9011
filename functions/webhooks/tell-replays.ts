import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { careMessage, findOpenReplays, saveRelease } from './release.store.ts';
import type { Release } from './release.ts';
import { tellQueue } from './tell-queue.ts';

/** So much of a worker's time it may take. */
const TELLING_MS = 10 * SECOND_MS;

/**
 * Lets the replays that wait for an endpoint go on, now that it is open or deleted. Safe to repeat:
 * one that is being worked on stays as it is. Those that it has no time for look by themselves
 * within a day.
 */
export async function tellReplays(
  endpoint: Pick<Release, 'tenantId' | 'endpointId'>,
  world: Pick<World, 'clock' | 'db' | 'log' | 'queues'>,
): Promise<void> {
  const { clock, db } = world;
  const nowMs = clock.nowMs();
  for (const replay of await findOpenReplays(world, endpoint)) {
    if (!replay.isWaiting) continue;
    if (clock.nowMs() >= nowMs + TELLING_MS) return world.log.warn('replays.untold', endpoint);
    const next = { ...replay, dueMs: nowMs, isWaiting: undefined };
    const commit = await db.commit([saveRelease(replay, next, nowMs)]);
    const message = careMessage({ ...next, step: replay.step + 1 });
    if (commit.ok) await tellQueue('endpoint-care', message, world);
  }
}
