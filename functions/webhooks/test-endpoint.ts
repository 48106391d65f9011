import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { testEndpointRoute } from './endpoint.contract.ts';
import type { Endpoint } from './endpoint.ts';
import { findPace } from './pace.store.ts';
import { limitOf, RESTART_MS, rateAt } from './pace.ts';
import { requireEndpoint } from './read-endpoints.ts';
import { sendWebhook } from './send-webhook.ts';
import { type KnownPace, takeKnownSlots } from './take-slots.ts';
import { claimTestSend } from './test-send.store.ts';

type Needs = Pick<World, 'clock' | 'db' | 'http' | 'ids' | 'meters' | 'secrets'>;

/** Somebody is waiting for the answer. */
const TIMEOUT_MS = 5 * SECOND_MS;
/** And for a slot: after another limit was set, the first one is five seconds away. */
const WAIT_MS_MAX = RESTART_MS + SECOND_MS;

/**
 * POST /v1/endpoints/{id}/test: sends `endpoint.test` at once, also to a paused or disabled
 * endpoint and past an open breaker, and tells how it went. It says nothing of the endpoint's
 * health and is kept nowhere. It goes in the next free slot of the endpoint's limit. Refused with
 * `rate_limited` are a second one within a second, any while the receiver wants to be left alone,
 * and any whose slot is more than six seconds away.
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
  const { clock, db } = world;
  const claim = await db.commit([claimTestSend(endpoint, clock.nowMs())]);
  if (!claim.ok) throw tooEarly('An endpoint is tested at most once per second.', SECOND_MS);
  const pace = await findPace(db, endpoint);
  const blockMs = (pace.blockedUntilMs ?? 0) - clock.nowMs();
  if (blockMs > 0) throw tooEarly('The receiver wants to be left alone for a while.', blockMs);
  const isLimited = rateAt(limitOf(endpoint, pace), pace, clock.nowMs()) !== undefined;
  if (isLimited) await waitForSlot({ endpoint, pace }, world);
}

async function waitForSlot(known: KnownPace, world: Needs): Promise<void> {
  // Who takes no slot keeps none from others.
  refuseIfFar((known.pace.tatUs ?? 0) / 1_000, world);
  const { slotsMs } = await takeKnownSlots(world, known, 1);
  const [slotMs = 0] = slotsMs;
  refuseIfFar(slotMs, world);
  await world.clock.sleep(Math.max(0, slotMs - world.clock.nowMs()));
}

function refuseIfFar(slotMs: number, { clock }: Needs): void {
  const waitMs = slotMs - clock.nowMs();
  if (waitMs <= WAIT_MS_MAX) return;
  throw tooEarly(`The next free slot of its limit is at ${toInstant(slotMs)}.`, waitMs);
}

function tooEarly(detail: string, waitMs: number): Problem {
  return new Problem('rate_limited', {
    detail,
    retryAfterSeconds: Math.ceil(waitMs / SECOND_MS),
  });
}
