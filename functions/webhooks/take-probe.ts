import type { World } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { MESSAGE_AHEAD_MS_MAX } from './delivery-message.ts';
import { planProbe, probeMessage } from './health.store.ts';
import { nextProbe } from './health.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';
import { tellQueue } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/**
 * Makes a delivery that arrives at an open breaker the probe, where there was nothing else to probe
 * with. Undefined where there was, or where somebody else has become the probe: it has to wait.
 */
export async function takeProbe(
  { endpoint, health }: KnownEndpoint,
  delivery: Delivery,
  world: Needs,
): Promise<Delivery | undefined> {
  if (!health.idle) return undefined;
  const nowMs = world.clock.nowMs();
  const { saidDays } = health;
  const next = nextProbe(health, delivery, nowMs);
  const probedThrough = delivery.eventId;
  const plan = planProbe(endpoint, health, { ...next, probedThrough, saidDays, nowMs });
  const planned = await world.db.commit([plan]);
  world.endpoints.forget(endpoint.tenantId, endpoint.id);
  if (!planned.ok) return undefined;
  const { probeAtMs } = next;
  if (probeAtMs - nowMs <= MESSAGE_AHEAD_MS_MAX) {
    await tellQueue('endpoint-care', probeMessage(endpoint, probeAtMs), world);
  }
  const hasSlot = delivery.status === 'waiting';
  return { ...delivery, urgent: true, ...(!hasSlot && { paceVersion: undefined }) };
}
