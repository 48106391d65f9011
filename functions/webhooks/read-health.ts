import { route } from '../shared/http/route.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { backlogOf } from './backlog.ts';
import type { Delivery } from './delivery.ts';
import { countOpen, listDeliveries, listOldestOpen } from './delivery-list.store.ts';
import { deliveryId } from './delivery-name.ts';
import { attemptView } from './delivery-view.ts';
import type { Endpoint } from './endpoint.ts';
import { getEndpointHealthRoute } from './health.contract.ts';
import { findHealth } from './health.store.ts';
import { breakerOf, isOpen } from './health.ts';
import { findPace } from './pace.store.ts';
import { requireEndpoint } from './read-endpoints.ts';

type Needs = Pick<World, 'clock' | 'db'>;

const ATTEMPTS_MAX = 10;

/**
 * GET /v1/endpoints/{id}/health. Breaker and pace are as they are now; what waits and is held, and
 * the attempts, may be a second old.
 */
export const getEndpointHealth = route(getEndpointHealthRoute, async (call, world: Needs) => {
  const endpoint = await requireEndpoint(call, world);
  const [health, pace, held, waiting, lastAttempts] = await Promise.all([
    findHealth(world.db, endpoint),
    findPace(world.db, endpoint),
    countOpen(world.db, endpoint, 'held'),
    countOpen(world.db, endpoint, 'waiting'),
    findLastAttempts(endpoint, world),
  ]);
  const nowMs = world.clock.nowMs();
  const backlog = backlogOf(endpoint, { pace, waiting }, nowMs);
  return {
    body: {
      object: 'endpoint_health' as const,
      endpointId: endpoint.id,
      breaker: breakerOf(health, nowMs),
      failureStreak: health.streak,
      openedAt: instantOf(health.openedAtMs),
      nextProbeAt: isOpen(health) && !health.idle ? instantOf(health.probeAtMs) : undefined,
      ratePerSecond: backlog.perSecond,
      blockedUntil: instantOf(backlog.blockedUntilMs),
      waiting: backlog.waiting,
      held,
      drainedAt: instantOf(backlog.drainedAtMs),
      lastAttempts,
    },
  };
});

function instantOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toInstant(ms);
}

/**
 * Of as many of the newest events as there are attempts to show. Where these only wait, the oldest
 * ones that do were tried last, by probes or as they come to their turn, and those before them.
 */
async function findLastAttempts(endpoint: Endpoint, { db }: Needs) {
  const filter = { tenantId: endpoint.tenantId, endpointIds: [endpoint.id] };
  const newest = await listDeliveries(db, filter, { limit: ATTEMPTS_MAX });
  const isTold = newest.deliveries.every((it) => it.attempts.length > 0);
  const behind = isTold ? [] : await findBehindWaiting(endpoint, db);
  const found = [...newest.deliveries, ...behind];
  const deliveries = new Map(found.map((it) => [it.eventId, it]));
  return [...deliveries.values()]
    .flatMap(attemptsOf)
    .sort((a, b) => (a.atMs < b.atMs ? 1 : -1))
    .slice(0, ATTEMPTS_MAX)
    .map(({ view }) => view);
}

async function findBehindWaiting(
  { tenantId, id }: Endpoint,
  db: Needs['db'],
): Promise<readonly Delivery[]> {
  const filter = { tenantId, endpointIds: [id] };
  const open = { ...filter, statuses: ['held', 'waiting'] as const };
  const oldest = await listOldestOpen(db, open, ATTEMPTS_MAX);
  const [first] = oldest;
  if (!first) return [];
  const after = { pk: '', sk: first.eventId };
  const before = await listDeliveries(db, filter, { limit: ATTEMPTS_MAX, after });
  return [...oldest, ...before.deliveries];
}

function attemptsOf(delivery: Delivery) {
  return delivery.attempts.map((it) => ({
    atMs: it.atMs,
    view: { deliveryId: deliveryId(delivery), ...attemptView(it) },
  }));
}
