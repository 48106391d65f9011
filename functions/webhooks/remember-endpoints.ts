import { SECOND_MS } from '../shared/units.ts';
import type { Clock, Db } from '../shared/world.ts';
import { endpointKey, findSetVersion, listEndpoints, toEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';
import { healthKey, toHealth } from './health.store.ts';
import type { Health } from './health.ts';
import { paceKey, toPace } from './pace.store.ts';
import type { Pace } from './pace.ts';

/** An endpoint with its pace and health, as they were a moment ago. */
export interface KnownEndpoint {
  readonly endpoint: Endpoint;
  readonly pace: Pace;
  readonly health: Health;
}

/** The endpoints that this instance has sent to lately. */
export interface EndpointMemory {
  /** At most five seconds old. Undefined when the tenant has no such endpoint. */
  find(tenantId: string, endpointId: string): Promise<KnownEndpoint | undefined>;
  /** What this instance has just written or is about to; the rest stays as old as it is. */
  learn(tenantId: string, endpointId: string, news: Partial<KnownEndpoint>): void;
  /** The next `find` reads it anew. */
  forget(tenantId: string, endpointId: string): void;
}

/** A pause takes effect within this time; a busy endpoint is read once in it. */
export const KNOWN_MS = 5 * SECOND_MS;
const ENTRIES_MAX = 5_000;

/** A memory that reads an endpoint, its pace and its health in one call, also for many at once. */
export function rememberEndpoints(world: {
  readonly clock: Clock;
  readonly db: Pick<Db, 'getAll'>;
}): EndpointMemory {
  const { clock, db } = world;
  const known = new Map<string, { found: Promise<KnownEndpoint | undefined>; readMs: number }>();
  return {
    find(tenantId, endpointId) {
      const name = `${tenantId}#${endpointId}`;
      const nowMs = clock.nowMs();
      const entry = known.get(name);
      // A clock that was put back must not make it last longer.
      if (entry && Math.abs(nowMs - entry.readMs) < KNOWN_MS) return entry.found;

      const found = readEndpoint(db, tenantId, endpointId);
      if (known.size >= ENTRIES_MAX) known.clear();
      known.set(name, { found, readMs: nowMs });
      // A failed read must not be the answer for the next five seconds.
      found.catch(() => known.delete(name));
      return found;
    },
    learn(tenantId, endpointId, news) {
      const entry = known.get(`${tenantId}#${endpointId}`);
      if (!entry) return;
      const before = entry.found;
      entry.found = before.then((it) => it && { ...it, ...news });
      // Nobody may be waiting for it: what failed is forgotten already.
      entry.found.catch(() => undefined);
    },
    forget(tenantId, endpointId) {
      known.delete(`${tenantId}#${endpointId}`);
    },
  };
}

async function readEndpoint(
  db: Pick<Db, 'getAll'>,
  tenantId: string,
  endpointId: string,
): Promise<KnownEndpoint | undefined> {
  const keys = [
    endpointKey(tenantId, endpointId),
    paceKey(tenantId, endpointId),
    healthKey(tenantId, endpointId),
  ];
  const items = await db.getAll(keys.map((key) => ({ table: 'endpoints', ...key })));
  const [item, pace, health] = items;
  const endpoint = toEndpoint(item);
  return endpoint && { endpoint, pace: toPace(pace), health: toHealth(health) };
}

/** Answers all endpoints of a tenant as they are now. */
export type EndpointSets = (tenantId: string) => Promise<readonly Endpoint[]>;

/**
 * Reads the version of a tenant's set every time, strongly, and the set itself only when the
 * version is another one: an endpoint made a moment ago is never missed.
 */
export function rememberSets({ db }: { readonly db: Pick<Db, 'get' | 'query'> }): EndpointSets {
  const known = new Map<string, { version: number; endpoints: readonly Endpoint[] }>();
  return async (tenantId) => {
    const version = await findSetVersion(db, tenantId);
    const entry = known.get(tenantId);
    if (entry?.version === version) return entry.endpoints;

    const endpoints = await listEndpoints(db, tenantId);
    if (known.size >= ENTRIES_MAX) known.clear();
    known.set(tenantId, { version, endpoints });
    return endpoints;
  };
}
