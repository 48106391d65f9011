import { findEvent } from '../events/event.store.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { retryDeliveryRoute } from './delivery.contract.ts';
import { findDelivery } from './delivery.store.ts';
import { type Delivery, lateDelivery, retryByHand } from './delivery.ts';
import { type DeliveryName, nameOfId } from './delivery-name.ts';
import { deliveryView } from './delivery-view.ts';
import { findEndpoint } from './endpoint.store.ts';
import { saveStep } from './save-delivery.ts';
import { sendNext } from './settle-delivery.ts';
import { takeSlotAhead } from './take-slot-ahead.ts';
import { hurry, isInLastDay } from './waiting.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'>;

/**
 * POST /v1/deliveries/{id}/retry: a new attempt at once, past breaker and backlog; of a limited
 * endpoint in a slot of its own, so that it may have to wait for some seconds. Refuses with
 * `not_retryable` what a worker has in hand, also when it has just taken it, and what would only
 * come to be when its event is about to end.
 */
export const sendAgain = route(
  retryDeliveryRoute,
  async ({ tenantId, params, query }, world: Needs) => {
    const name = nameOfId(tenantId, params.id);
    const before = await requireDelivery(name, world);
    const endpoint = await findEndpoint(world.db, tenantId, name.endpointId);
    const nowMs = world.clock.nowMs();
    const after = retryByHand(before, endpoint, { force: query.force, nowMs });
    const slot = endpoint && (await takeSlotAhead(world, endpoint));
    const saved = await saveStep(world, { before, after: slot ? hurry(after, slot) : after });
    if (!saved.won) throw new Problem('not_retryable', { detail: 'An attempt is being made.' });

    await sendNext(saved.delivery, world);
    return { body: deliveryView(saved.delivery) };
  },
);

/** A pending delivery has no record before somebody claims it, or wants it sent at once. */
async function requireDelivery(name: DeliveryName, { db, clock }: Needs): Promise<Delivery> {
  const delivery = await findDelivery(db, name);
  if (delivery) return delivery;
  const event = await findEvent(db, name.tenantId, name.eventId);
  if (!event?.sentTo?.includes(name.endpointId)) throw new Problem('not_found');
  const late = lateDelivery({ ...name, eventType: event.type }, clock.nowMs());
  if (isInLastDay(late, clock.nowMs())) {
    throw new Problem('not_retryable', { detail: 'Its event is too old.' });
  }
  return late;
}
