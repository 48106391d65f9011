import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { deleteEndpointRoute } from './endpoint.contract.ts';
import { deleteEndpoint as deletionOf } from './endpoint.store.ts';
import { reopenWrites } from './release.store.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/**
 * DELETE /v1/endpoints/{id}. From then on it is nowhere to be found, also by a second DELETE. What
 * is under way to it ends as `cancelled` when its turn comes.
 */
export const deleteEndpoint = route(deleteEndpointRoute, async (call, world: Needs) => {
  const { tenantId, params } = call;
  const body = await changeEndpoint({ tenantId, id: params.id }, world, (endpoint) => ({
    result: { id: endpoint.id, object: 'endpoint' as const, deleted: true as const },
    // What is held behind it has nothing to wait for.
    writes: [...deletionOf(endpoint, world.clock.nowMs()), ...reopenWrites(endpoint, world)],
  }));
  return { body };
});
