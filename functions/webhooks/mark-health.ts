import type { World } from '../shared/world.ts';
import type { Attempt } from './attempt.ts';
import { closeBreaker, countFailure, endStreak, openBreaker, toHealth } from './health.store.ts';
import { HEALTHY, type Health, isAiling, isOpen, shouldOpen, verdictOf } from './health.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'> & {
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
  } catch (error) {
    world.log.error('endpoint.health-unmarked', { tenantId, endpointId, error });
  }
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
  if (!shouldOpen(health, clock.nowMs())) return;

  const opened = await db.commit([openBreaker(endpoint, clock.nowMs())]);
  if (!opened.ok) return;
  learn(endpoint, toHealth(opened.item), world);
  const { tenantId, id: endpointId } = endpoint;
  log.warn('endpoint.breaker-opened', { tenantId, endpointId, streak: health.streak });
}

async function markSuccess({ endpoint, health }: KnownEndpoint, world: Needs): Promise<void> {
  const { db } = world;
  const end = isOpen(health) ? [closeBreaker(endpoint, health)] : [endStreak(endpoint)];
  const commit = await db.commit(end);
  if (commit.ok) learn(endpoint, HEALTHY, world);
  else world.endpoints.forget(endpoint.tenantId, endpoint.id);
}

/** Every worker of this instance knows at once, the others within seconds. */
function learn(
  { tenantId, id }: KnownEndpoint['endpoint'],
  health: Health,
  { endpoints }: Needs,
): Health {
  endpoints.learn(tenantId, id, health);
  return health;
}
