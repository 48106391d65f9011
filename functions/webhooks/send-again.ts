import { findEvent } from '../events/event.store.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { retryDeliveryRoute } from './delivery.contract.ts';
import { findDelivery } from './delivery.store.ts';
import { type Delivery, newDelivery, retryByHand, wait } from './delivery.ts';
import { urgentMessage } from './delivery-message.ts';
import { type DeliveryName, nameOfId } from './delivery-name.ts';
import { deliveryView } from './delivery-view.ts';
import { findEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';
import { saveStep } from './save-delivery.ts';
import { takeSlots } from './take-slots.ts';
import { tellQueue } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/**
 * POST /v1/deliveries/{id}/retry: a new attempt at once, also through an open breaker. Refuses with
 * `not_retryable` what a worker has in hand, also when it has just taken it.
 */
export const sendAgain = route(
  retryDeliveryRoute,
  async ({ tenantId, params, query }, world: Needs) => {
    const name = nameOfId(tenantId, params.id);
    const before = await requireDelivery(name, world);
    const endpoint = await findEndpoint(world.db, tenantId, name.endpointId);
    const nowMs = world.clock.nowMs();
    const retried = retryByHand(before, endpoint, { force: query.force, nowMs });
    const after = await withSlot(retried, endpoint, world);
    const saved = await saveStep(world, { before, after });
    if (!saved.won) throw new Problem('not_retryable', { detail: 'An attempt is being made.' });

    await tellQueue('delivery-slow', urgentMessage(saved.delivery), world);
    return { body: deliveryView(saved.delivery) };
  },
);

/** At a limited endpoint it takes a slot like everything that is sent, but waits for no backlog. */
async function withSlot(
  delivery: Delivery,
  endpoint: Endpoint | undefined,
  world: Needs,
): Promise<Delivery> {
  if (endpoint?.perSecond === undefined) return delivery;
  const { version } = await takeSlots(world, endpoint, 1);
  return wait(delivery, { atMs: world.clock.nowMs(), version });
}

/** A pending delivery has no record before somebody claims it, or wants it sent at once. */
async function requireDelivery(name: DeliveryName, { db, clock }: Needs): Promise<Delivery> {
  const delivery = await findDelivery(db, name);
  if (delivery) return delivery;
  const event = await findEvent(db, name.tenantId, name.eventId);
  if (!event?.sentTo?.includes(name.endpointId)) throw new Problem('not_found');
  return newDelivery({ ...name, eventType: event.type }, clock.nowMs());
}
