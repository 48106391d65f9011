import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import type { World } from '../shared/world.ts';
import type { Attempt } from './attempt.ts';
import { saveEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';
import {
  closeBreaker,
  countFailure,
  endStreak,
  openBreaker,
  probeMessage,
  toHealth,
} from './health.store.ts';
import {
  HEALTHY,
  type Health,
  isAiling,
  isOpen,
  isQuick,
  isSlow,
  SLOW_MS_MIN,
  shouldOpen,
  verdictOf,
} from './health.ts';
import { careMessage, insertRelease, newRelease } from './release.store.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';
import { tellQueue } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/**
 * Notes what an attempt says about the health of its endpoint: nothing is written for a success
 * of one that was well. An attempt has its outcome whether or not this works, so that a failure
 * is only logged.
 */
export async function markHealth(
  known: KnownEndpoint,
  attempt: Attempt,
  world: Needs,
): Promise<void> {
  const { tenantId, id: endpointId } = known.endpoint;
  const verdict = verdictOf(attempt);
  try {
    if (verdict === 'bad') await markFailure(known, attempt.error === 'timeout', world);
    if (verdict === 'good' && isAiling(known.health)) await markSuccess(known, world);
    const isBack = verdict === 'good' && mayLeaveSlowLane(known.endpoint, attempt, world);
    if (isBack) await setLane(known.endpoint, undefined, world);
  } catch (error) {
    world.log.error('endpoint.health-unmarked', { tenantId, endpointId, error });
  }
}

/**
 * Moves all deliveries of an endpoint to the slow lane while its receiver has only kept a worker
 * waiting: by the time that the attempt ends, many workers would wait for it.
 */
export async function markSilence({ endpoint }: KnownEndpoint, world: Needs): Promise<void> {
  const { tenantId, id: endpointId } = endpoint;
  try {
    const now = await world.endpoints.find(tenantId, endpointId);
    if (!now || now.endpoint.slow) return;
    // The others that wait for it here do not write the same.
    world.endpoints.learn(tenantId, endpointId, { endpoint: { ...now.endpoint, slow: true } });
    await setLane(now.endpoint, true, world);
  } catch (error) {
    world.log.error('endpoint.health-unmarked', { tenantId, endpointId, error });
  }
}

function mayLeaveSlowLane(
  { slow, slowAtMs = 0 }: Endpoint,
  { ms }: Attempt,
  { clock }: Needs,
): boolean {
  return slow === true && isQuick(ms) && clock.nowMs() >= slowAtMs + SLOW_MS_MIN;
}

async function markFailure(
  { endpoint }: KnownEndpoint,
  isTimeout: boolean,
  world: Needs,
): Promise<void> {
  const { clock, db, log } = world;
  const counted = await db.commit([countFailure(endpoint, isTimeout, clock.nowMs())]);
  if (!counted.ok) throw new Error('a failure could not be counted');
  const health = learn(endpoint, toHealth(counted.item), world);
  if (isSlow(health) && !endpoint.slow) await setLane(endpoint, true, world);
  if (!shouldOpen(health, clock.nowMs())) return;

  const opened = await db.commit([openBreaker(endpoint, clock.nowMs())]);
  if (!opened.ok) return;
  world.meters.count('tallyhook_breaker_changes_total', { to: 'open' });
  const { probeAtMs = 0 } = learn(endpoint, toHealth(opened.item), world);
  const { tenantId, id: endpointId } = endpoint;
  log.warn('endpoint.breaker-opened', { tenantId, endpointId, streak: health.streak });
  await tellQueue('endpoint-care', probeMessage(endpoint, probeAtMs), world);
}

/** All that is being held looks at the health as well: their conflicts must keep nothing closed. */
async function markSuccess({ endpoint, health }: KnownEndpoint, world: Needs): Promise<void> {
  const release = isOpen(health) ? newRelease(endpoint, 'drain', world) : undefined;
  const commit = await commitDespiteConflicts(
    world,
    release
      ? [closeBreaker(endpoint, health), insertRelease(release, world.clock.nowMs())]
      : [endStreak(endpoint)],
  );
  if (!commit.ok) return world.endpoints.forget(endpoint.tenantId, endpoint.id);
  learn(endpoint, HEALTHY, world);
  if (!release) return;
  world.meters.count('tallyhook_breaker_changes_total', { to: 'closed' });
  const { tenantId, id: endpointId } = endpoint;
  world.log.info('endpoint.breaker-closed', { tenantId, endpointId });
  await tellQueue('endpoint-care', careMessage(release), world);
}

/**
 * Moves all deliveries of an endpoint to the lane of the slow ones, or back. It is refused when
 * anybody has changed the endpoint: the next attempt that says the same does it then.
 */
async function setLane(endpoint: Endpoint, slow: true | undefined, world: Needs): Promise<void> {
  const { tenantId, id: endpointId } = endpoint;
  const slowAtMs = slow && world.clock.nowMs();
  const commit = await world.db.commit(saveEndpoint(endpoint, { ...endpoint, slow, slowAtMs }));
  world.endpoints.forget(tenantId, endpointId);
  if (commit.ok) world.log.info('endpoint.lane-changed', { tenantId, endpointId, slow });
}

/** Every worker of this instance knows at once, the others within seconds. */
function learn(
  { tenantId, id }: KnownEndpoint['endpoint'],
  health: Health,
  { endpoints }: Needs,
): Health {
  endpoints.learn(tenantId, id, { health });
  return health;
}
