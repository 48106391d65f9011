import { route } from '../shared/http/route.ts';
import { readPage } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findRelease, releaseKey, replaysOf, toReleases } from './release.store.ts';
import { nameOfReplay, type Release } from './release.ts';
import { getReplayRoute, listReplaysRoute } from './replay.contract.ts';
import { replayView } from './replay-view.ts';

/** GET /v1/replays/{id}: strongly consistent. */
export const getReplay = route(
  getReplayRoute,
  async ({ tenantId, params }, world: Pick<World, 'db'>) => ({
    body: replayView(await requireReplay(tenantId, params.id, world)),
  }),
);

/** Refuses with `not_found`. */
export async function requireReplay(
  tenantId: string,
  id: string,
  { db }: Pick<World, 'db'>,
): Promise<Release> {
  const found = await findRelease(db, releaseKey({ tenantId, ...nameOfReplay(id) }));
  if (!found) throw new Problem('not_found');
  return found;
}

/** GET /v1/replays of one endpoint: those that this version of the code understands. */
export const listReplays = route(
  listReplaysRoute,
  async ({ tenantId, query }, world: Pick<World, 'db' | 'log' | 'secrets'>) => {
    const { endpointId, limit, cursor } = query;
    const boundTo = [tenantId, 'replays', endpointId];
    const place = replaysOf(tenantId, endpointId);
    const { items, nextCursor } = await readPage(world, place, { limit, cursor, boundTo });
    const data = toReleases(items, world).map(replayView);
    return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
  },
);
