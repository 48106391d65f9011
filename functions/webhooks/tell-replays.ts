import type { World } from '../shared/world.ts';
import { careMessage, findOpenReplays, saveRelease } from './release.store.ts';
import type { Release } from './release.ts';
import { tellQueue } from './tell-queue.ts';

/**
 * Lets the replays that wait for an endpoint go on, now that it is open or deleted. Safe to repeat:
 * one that is being worked on stays as it is.
 */
export async function tellReplays(
  endpoint: Pick<Release, 'tenantId' | 'endpointId'>,
  world: Pick<World, 'clock' | 'db' | 'log' | 'queues'>,
): Promise<void> {
  const { clock, db } = world;
  const nowMs = clock.nowMs();
  for (const replay of await findOpenReplays(db, endpoint)) {
    if (!replay.isWaiting) continue;
    const next = { ...replay, dueMs: nowMs, isWaiting: undefined };
    const commit = await db.commit([saveRelease(replay, next, nowMs)]);
    const message = careMessage({ ...next, step: replay.step + 1 });
    if (commit.ok) await tellQueue('endpoint-care', message, world);
  }
}
