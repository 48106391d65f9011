import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { countFailure, openBreaker } from '../../functions/webhooks/health.store.ts';
import type { DeliveryWorld } from './delivery-world.ts';

/** Opens the breaker of an endpoint, as ten failures in a row do. */
export async function breakOpen(
  world: DeliveryWorld,
  endpoint: Pick<Endpoint, 'tenantId' | 'id'>,
): Promise<void> {
  const nowMs = world.clock.nowMs();
  for (let nth = 0; nth < 10; nth += 1) {
    await world.db.commit([countFailure(endpoint, false, nowMs)]);
  }
  await world.db.commit([openBreaker(endpoint, nowMs)]);
  world.endpoints.forget(endpoint.tenantId, endpoint.id);
}
