import * as z from 'zod';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';

/** Stored items are read tolerantly: an unknown field is a later release's. */
const EndpointItem = z.object({
  id: z.templateLiteral(['end_', z.string()]),
  tenant: z.string(),
  url: z.string(),
  eventTypes: z.array(z.string()).optional(),
  description: z.string().optional(),
  status: z.enum(['active', 'paused', 'disabled']),
  maxAttempts: z.number(),
  schedule: z.array(z.number()).optional(),
  timeoutMs: z.number(),
  onUnknown: z.enum(['resend', 'stop']),
  perSecond: z.number().optional(),
  secrets: z.array(z.string()),
  createdAt: z.number(),
  fingerprint: z.string().optional(),
});

/** Where an endpoint lies. */
export function endpointKey(tenantId: string, endpointId: string): Key {
  return { pk: tenantId, sk: endpointId };
}

/** Where the version of a tenant's set of endpoints lies. */
function setKey(tenantId: string): Key {
  return { pk: tenantId, sk: 'V' };
}

/** Refused when the id is taken. Goes into one commit with `growSet`. */
export function insertEndpoint(endpoint: Endpoint): Write {
  const item = {
    ...endpointKey(endpoint.tenantId, endpoint.id),
    v: 1,
    id: endpoint.id,
    tenant: endpoint.tenantId,
    url: endpoint.url,
    eventTypes: endpoint.eventTypes,
    description: endpoint.description,
    status: endpoint.status,
    maxAttempts: endpoint.retry.maxAttempts,
    schedule: endpoint.retry.scheduleSeconds,
    timeoutMs: endpoint.timeoutMs,
    onUnknown: endpoint.onUnknown,
    perSecond: endpoint.perSecond,
    secrets: endpoint.sealedSecrets,
    createdAt: endpoint.createdAtMs,
    fingerprint: endpoint.fingerprint,
  };
  return { kind: 'put', table: 'endpoints', item, condition: 'attribute_not_exists(pk)' };
}

/**
 * Tells every relay that the tenant's set of endpoints is another one, and counts the new one.
 * Refused when the tenant has `max` already.
 */
export function growSet(tenantId: string, max: number): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: setKey(tenantId),
    update: 'ADD version :one, members :one',
    condition: 'attribute_not_exists(members) OR members < :max',
    values: { ':one': 1, ':max': max },
  };
}

/** The version of a tenant's set of endpoints: another one after every change, 0 without any. */
export async function findSetVersion(db: Pick<Db, 'get'>, tenantId: string): Promise<number> {
  const item = await db.get('endpoints', setKey(tenantId));
  return typeof item?.version === 'number' ? item.version : 0;
}

/** Holds while the endpoint has this status: a delivery is held only behind a closed door. */
export function checkStatus(endpoint: Endpoint): Write {
  return {
    kind: 'check',
    table: 'endpoints',
    key: endpointKey(endpoint.tenantId, endpoint.id),
    condition: '#status = :status',
    names: { '#status': 'status' },
    values: { ':status': endpoint.status },
  };
}

/** The endpoint in a stored item. */
export function toEndpoint(item: Item): Endpoint {
  const stored = EndpointItem.parse(item);
  return {
    id: stored.id,
    tenantId: stored.tenant,
    url: stored.url,
    eventTypes: stored.eventTypes,
    description: stored.description,
    status: stored.status,
    retry: { maxAttempts: stored.maxAttempts, scheduleSeconds: stored.schedule },
    timeoutMs: stored.timeoutMs,
    onUnknown: stored.onUnknown,
    perSecond: stored.perSecond,
    sealedSecrets: stored.secrets,
    createdAtMs: stored.createdAt,
    fingerprint: stored.fingerprint,
  };
}

/** Undefined when this tenant has no such endpoint. */
export async function findEndpoint(
  db: Pick<Db, 'get'>,
  tenantId: string,
  endpointId: string,
): Promise<Endpoint | undefined> {
  const item = await db.get('endpoints', endpointKey(tenantId, endpointId));
  return item && toEndpoint(item);
}

/** All endpoints of a tenant, in the order of their ids; at most a thousand. */
export async function listEndpoints(db: Pick<Db, 'query'>, tenantId: string): Promise<Endpoint[]> {
  const found: Endpoint[] = [];
  let after: Item | undefined;
  do {
    const page = await db.query({
      table: 'endpoints',
      pk: tenantId,
      sk: { prefix: 'end_' },
      ...(after && { after }),
    });
    found.push(...page.items.map(toEndpoint));
    after = page.next;
  } while (after);
  return found;
}
