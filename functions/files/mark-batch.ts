import type { Cause } from '../events/event.ts';
import type { World } from '../shared/world.ts';
import type { Attempt } from '../webhooks/attempt.ts';
import { disableFor } from '../webhooks/disable-endpoint.ts';
import { verdictOf } from '../webhooks/health.ts';
import { markHealth } from '../webhooks/mark-health.ts';
import type { EndpointMemory, KnownEndpoint } from '../webhooks/remember-endpoints.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/** To whom a batch was sent, and what had led to its file. */
interface Sending {
  readonly known: KnownEndpoint;
  readonly cause: Cause;
}

/**
 * Notes what a batch says about the health of its endpoint, once for all of its attempts: one
 * success shows that the receiver is there. Answers whether it seems to be dead. A receiver that
 * wants nothing more is disabled, with what led to its file. Never throws: the alerts have their
 * outcomes in any case.
 */
export async function markBatch(
  { known, cause }: Sending,
  attempts: readonly Attempt[],
  world: Needs,
): Promise<boolean> {
  const good = attempts.find((it) => verdictOf(it) === 'good');
  const bad = attempts.find((it) => verdictOf(it) === 'bad');
  const telling = good ?? bad;
  if (telling) await markHealth(known, telling, world);
  if (attempts.some((it) => it.disable)) await disable({ known, cause }, world);
  return good === undefined && bad !== undefined;
}

/** The next batch hears the same, so that a failure is only noted. */
async function disable({ known, cause }: Sending, world: Needs): Promise<void> {
  const { endpoint } = known;
  const { tenantId, id: endpointId } = endpoint;
  try {
    const { traceparent, hops } = cause;
    await disableFor(endpoint, { reason: 'gone', traceparent, hops }, world);
  } catch (error) {
    world.log.error('endpoint.disable-failed', { tenantId, endpointId, error });
  }
}
