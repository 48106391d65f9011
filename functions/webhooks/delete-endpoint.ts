import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { deleteEndpointRoute } from './endpoint.contract.ts';
import { deleteEndpoint as deletionOf } from './endpoint.store.ts';
import { endHealth } from './health.store.ts';
import { endPace } from './pace.store.ts';
import { careMessage, insertRelease, newRelease } from './release.store.ts';
import { tellQueue } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/**
 * DELETE /v1/endpoints/{id}. From then on it is nowhere to be found, also by a second DELETE. What
 * is under way to it ends as `cancelled` when its turn comes, and what is held is given its turn.
 */
export const deleteEndpoint = route(deleteEndpointRoute, async (call, world: Needs) => {
  const { tenantId, params } = call;
  const release = await changeEndpoint({ tenantId, id: params.id }, world, (endpoint) => {
    const result = newRelease(endpoint, 'resume', world);
    const nowMs = world.clock.nowMs();
    const ends = [endHealth(endpoint, nowMs), endPace(endpoint, nowMs)];
    const also = [...ends, insertRelease(result, nowMs)];
    return { result, writes: [...deletionOf(endpoint, nowMs), ...also] };
  });
  await tellQueue('endpoint-care', careMessage(release), world);
  return { body: { id: params.id, object: 'endpoint' as const, deleted: true as const } };
});
