import type { World } from '../shared/world.ts';
import type { Attempt } from '../webhooks/attempt.ts';
import { disableEndpoint } from '../webhooks/disable-endpoint.ts';
import { verdictOf } from '../webhooks/health.ts';
import { markHealth } from '../webhooks/mark-health.ts';
import type { EndpointMemory, KnownEndpoint } from '../webhooks/remember-endpoints.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/**
 * Notes what a batch says about the health of its endpoint, once for all of its attempts: one
 * success shows that the receiver is there. Answers whether it seems to be dead. A receiver that
 * wants nothing more is disabled. Never throws: the alerts have their outcomes in any case.
 */
export async function markBatch(
  known: KnownEndpoint,
  attempts: readonly Attempt[],
  world: Needs,
): Promise<boolean> {
  const good = attempts.find((it) => verdictOf(it) === 'good');
  const bad = attempts.find((it) => verdictOf(it) === 'bad');
  const telling = good ?? bad;
  if (telling) await markHealth(known, telling, world);
  if (attempts.some((it) => it.disable)) await disable(known, world);
  return good === undefined && bad !== undefined;
}

/** The next batch hears the same, so that a failure is only noted. */
async function disable({ endpoint }: KnownEndpoint, world: Needs): Promise<void> {
  const { tenantId, id: endpointId } = endpoint;
  try {
    await disableEndpoint(endpoint, 'gone', world);
  } catch (error) {
    world.log.error('endpoint.disable-failed', { tenantId, endpointId, error });
  }
}
