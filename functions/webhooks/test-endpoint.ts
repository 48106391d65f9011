import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { testEndpointRoute } from './endpoint.contract.ts';
import type { Endpoint } from './endpoint.ts';
import { requireEndpoint } from './read-endpoints.ts';
import { sendWebhook } from './send-webhook.ts';
import { takeSlots } from './take-slots.ts';
import { claimTestSend } from './test-send.store.ts';

type Needs = Pick<World, 'clock' | 'db' | 'http' | 'ids' | 'secrets'>;

/** Somebody is waiting for the answer. */
const TIMEOUT_MS = 5 * SECOND_MS;

/**
 * POST /v1/endpoints/{id}/test: sends `endpoint.test` at once, also to a paused or disabled
 * endpoint and past an open breaker, and tells how it went. It says nothing of the endpoint's
 * health and is kept nowhere. It takes a slot, so that what comes after keeps the limit; refused
 * with `rate_limited` are a second one within a second, and any while the receiver wants to be left
 * alone.
 */
export const testEndpoint = route(testEndpointRoute, async (call, world: Needs) => {
  const endpoint = await requireEndpoint(call, world);
  await takeTurn(endpoint, world);
  const id = world.ids.next('evt');
  const timeoutMs = Math.min(TIMEOUT_MS, endpoint.timeoutMs);
  const attempt = await sendWebhook(
    world,
    { ...endpoint, timeoutMs },
    {
      eventId: id,
      type: 'endpoint.test',
      timestampMs: world.clock.nowMs(),
      dataJson: JSON.stringify({ endpointId: endpoint.id }),
      attempt: 1,
      traceparent: call.traceparent,
      hops: call.hops,
    },
  );
  const { outcome, status, ms, error } = attempt;
  if (outcome === 'abandoned') throw new Error('a test-send is wanted to its end');
  return { body: { outcome, status, ms, error } };
});

async function takeTurn(endpoint: Endpoint, world: Needs): Promise<void> {
  const claim = await world.db.commit([claimTestSend(endpoint, world.clock.nowMs())]);
  if (!claim.ok) throw tooEarly('An endpoint is tested at most once per second.', SECOND_MS);
  const { blockedUntilMs } = await takeSlots(world, endpoint, 1);
  const waitMs = (blockedUntilMs ?? 0) - world.clock.nowMs();
  if (waitMs > 0) throw tooEarly('The receiver wants to be left alone for a while.', waitMs);
}

function tooEarly(detail: string, waitMs: number): Problem {
  return new Problem('rate_limited', {
    detail,
    retryAfterSeconds: Math.ceil(waitMs / SECOND_MS),
  });
}
