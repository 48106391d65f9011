import { insertEvent } from '../events/event.store.ts';
import type { Cause } from '../events/event.ts';
import { Problem } from '../shared/problem.ts';
import type { World, Write } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { setStatus } from './endpoint.store.ts';
import type { DisabledReason, Endpoint } from './endpoint.ts';
import { restartPace } from './pace.store.ts';
import { insertRelease, newRelease } from './release.store.ts';
import type { EndpointMemory } from './remember-endpoints.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'> & { readonly endpoints: EndpointMemory };

/**
 * Disables an endpoint whose receiver wants no more webhooks, or failed for too long, together
 * with the event that says so. What is on its way to it is held. Nothing happens where the
 * endpoint is disabled or deleted already, nor where its tenant has changed it since it was `seen`:
 * the old address of one that has moved does not speak for the new one, and who has just said that
 * it is to work is not overruled by what was under way. False for such a one, which is still open.
 */
export function disableEndpoint(
  endpoint: Seen,
  reason: DisabledReason,
  world: Needs,
): Promise<boolean> {
  return disableFor(endpoint, { reason }, world);
}

/** The endpoint as whoever disables it has seen it. */
type Seen = Pick<Endpoint, 'tenantId' | 'id' | 'updatedAtMs'>;

/** Why an endpoint is disabled, and what led to the webhook that was answered so. */
interface Disabling extends Cause {
  readonly reason: DisabledReason;
}

/** The same where a webhook is known that was answered so: its event names what led to that. */
export async function disableFor(
  { tenantId, id, updatedAtMs }: Seen,
  why: Disabling,
  world: Needs,
): Promise<boolean> {
  const { reason } = why;
  try {
    const change = await changeEndpoint({ tenantId, id }, world, (endpoint) => {
      if (endpoint.status === 'disabled') return { result: 'none', writes: [] };
      if (endpoint.updatedAtMs !== updatedAtMs) return { result: 'refused', writes: [] };
      const told = disabledEvent(endpoint, why, world);
      const writes = [...setStatus(endpoint, 'disabled', reason), told];
      return { result: 'disabled', writes: [...writes, ...closing(endpoint, world)] };
    });
    if (change === 'disabled') {
      world.log.warn('endpoint.disabled', { tenantId, endpointId: id, reason });
    }
    return change !== 'refused';
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'not_found') throw error;
    return true;
  } finally {
    world.endpoints.forget(tenantId, id);
  }
}

/** No slot counts any more, and what is in a queue is held soon: the sweeper finds this. */
function closing(endpoint: Endpoint, world: Needs): Write[] {
  const { perSecond } = endpoint;
  const nowMs = world.clock.nowMs();
  const restart = restartPace(endpoint, { perSecond, unblocks: false, nowMs });
  if (perSecond === undefined) return [restart];
  return [restart, insertRelease(newRelease(endpoint, 'close', world), nowMs)];
}

function disabledEvent(
  { tenantId, id: endpointId }: Endpoint,
  { reason, traceparent, hops }: Disabling,
  { clock, ids }: Needs,
): Write {
  return insertEvent({
    id: ids.next('evt'),
    tenantId,
    type: 'endpoint.disabled',
    occurredAtMs: clock.nowMs(),
    data: JSON.stringify({ endpointId, reason }),
    ...{ traceparent, hops },
  });
}
