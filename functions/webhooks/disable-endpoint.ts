import { insertEvent } from '../events/event.store.ts';
import { Problem } from '../shared/problem.ts';
import type { World, Write } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { setStatus } from './endpoint.store.ts';
import type { DisabledReason, Endpoint } from './endpoint.ts';
import type { EndpointMemory } from './remember-endpoints.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'> & { readonly endpoints: EndpointMemory };

/**
 * Disables an endpoint whose receiver wants no more webhooks, or failed for too long, together
 * with the event that says so. What is on its way to it is held. Nothing happens where the
 * endpoint is disabled or deleted already.
 */
export async function disableEndpoint(
  { tenantId, id }: Pick<Endpoint, 'tenantId' | 'id'>,
  reason: DisabledReason,
  world: Needs,
): Promise<void> {
  try {
    const isNew = await changeEndpoint({ tenantId, id }, world, (endpoint) => {
      if (endpoint.status === 'disabled') return { result: false, writes: [] };
      const told = disabledEvent(endpoint, reason, world);
      return { result: true, writes: [...setStatus(endpoint, 'disabled', reason), told] };
    });
    if (isNew) world.log.warn('endpoint.disabled', { tenantId, endpointId: id, reason });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'not_found') throw error;
  }
  world.endpoints.forget(tenantId, id);
}

function disabledEvent(
  { tenantId, id: endpointId }: Endpoint,
  reason: DisabledReason,
  { clock, ids }: Needs,
): Write {
  return insertEvent({
    id: ids.next('evt'),
    tenantId,
    type: 'endpoint.disabled',
    occurredAtMs: clock.nowMs(),
    data: JSON.stringify({ endpointId, reason }),
  });
}
