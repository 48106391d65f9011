import * as z from 'zod';
import { known } from '../shared/form.ts';
import { pagesOf } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { setFields } from '../shared/set-fields.ts';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { type DisabledReason, type Endpoint, type EndpointStatus, withStatus } from './endpoint.ts';

/** Those that were stored before a secret could end are texts. */
const StoredSecret = z.union([
  z.string().transform((sealed) => ({ sealed })),
  z
    .object({
      sealed: z.string(),
      until: z.number().optional(),
      rotation: z.object({ id: z.string(), fingerprint: z.string() }).optional(),
    })
    .transform(({ sealed, until, rotation }) => ({ sealed, untilMs: until, rotation })),
]);

const StoredFileDefaults = z.object({
  message: z.string().exactOptional(),
  idColumn: z.union([z.string(), z.number()]).exactOptional(),
  eventType: z.string().exactOptional(),
  ratePerSecond: z.number().exactOptional(),
  onMalformed: z.enum(['ask', 'skip', 'fail']).exactOptional(),
  onUnknown: z.enum(['resend', 'stop']).exactOptional(),
});

/** Stored items are read tolerantly: an unknown field is a later release's. */
const EndpointItem = z.object({
  id: z.templateLiteral(['end_', z.string()]),
  tenant: z.string(),
  url: z.string(),
  eventTypes: z.array(z.string()).optional(),
  description: z.string().optional(),
  status: z.enum(['active', 'paused', 'disabled']),
  disabledReason: z.enum(['by_tenant', 'gone', 'failing']).optional(),
  slow: z.literal(true).optional(),
  slowAt: z.number().optional(),
  maxAttempts: z.number(),
  schedule: z.array(z.number()).optional(),
  isTest: z.literal(true).optional(),
  timeoutMs: z.number(),
  onUnknown: z.enum(['resend', 'stop']),
  perSecond: z.number().optional(),
  secrets: z.array(StoredSecret),
  headers: z.string().optional(),
  headerNames: z.array(z.string()).default([]),
  fileDefaults: StoredFileDefaults.optional(),
  createdAt: z.number(),
  updatedAt: z.number().optional(),
  revision: z.number().optional(),
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

/**
 * Refused when the id is taken, also by one that was deleted until that is set aside: `findTaken`
 * knows of it then. Goes with `growSet`.
 */
export function insertEndpoint(endpoint: Endpoint): Write {
  const item = { ...endpointKey(endpoint.tenantId, endpoint.id), v: 1, ...fieldsOf(endpoint) };
  return { kind: 'put', table: 'endpoints', item, condition: 'attribute_not_exists(pk)' };
}

function fieldsOf(endpoint: Endpoint): Item {
  return {
    id: endpoint.id,
    tenant: endpoint.tenantId,
    url: endpoint.url,
    eventTypes: endpoint.eventTypes,
    description: endpoint.description,
    status: endpoint.status,
    disabledReason: endpoint.disabledReason,
    slow: endpoint.slow,
    slowAt: endpoint.slowAtMs,
    maxAttempts: endpoint.retry.maxAttempts,
    schedule: endpoint.retry.scheduleSeconds,
    isTest: endpoint.retry.isTest,
    timeoutMs: endpoint.timeoutMs,
    onUnknown: endpoint.onUnknown,
    perSecond: endpoint.perSecond,
    secrets: endpoint.secrets.map(({ untilMs, ...rest }) => ({ ...rest, until: untilMs })),
    headers: endpoint.headers?.sealed,
    headerNames: endpoint.headers?.names,
    fileDefaults: endpoint.fileDefaults,
    createdAt: endpoint.createdAtMs,
    updatedAt: endpoint.updatedAtMs,
    fingerprint: endpoint.fingerprint,
  };
}

/**
 * Writes the fields that differ, and tells every relay. Refused when anything of the endpoint was
 * changed since `before` was read, or it was deleted: the first of the writes then fails.
 */
export function saveEndpoint(before: Endpoint, after: Endpoint): Write[] {
  const old = fieldsOf(before);
  const fields = Object.entries({ ...fieldsOf(after), revision: (before.revision ?? 0) + 1 });
  const changed = fields.filter(([name, it]) => JSON.stringify(it) !== JSON.stringify(old[name]));
  const { update, names, values } = setFields(Object.fromEntries(changed));
  const still = unchanged(before);
  const change: Write = {
    kind: 'update',
    table: 'endpoints',
    key: endpointKey(before.tenantId, before.id),
    ...{ update, names, condition: still.condition },
    values: { ...values, ...still.values },
  };
  return [change, changeSet(before.tenantId, 0)];
}

/** Holds as long as nothing of the endpoint has changed. */
function unchanged({ revision }: Endpoint) {
  if (revision !== undefined) {
    return { condition: 'revision = :seen', values: { ':seen': revision } };
  }
  const condition = 'attribute_exists(pk) AND attribute_not_exists(revision)';
  return { condition: `${condition} AND attribute_not_exists(deletedAt)` };
}

/** Another status, with the reason if it is `disabled`. Refused like `saveEndpoint`. */
export function setStatus(
  endpoint: Endpoint,
  status: EndpointStatus,
  reason?: DisabledReason,
): Write[] {
  return saveEndpoint(endpoint, withStatus(endpoint, status, reason));
}

/** Nothing late comes for a deleted endpoint after that. */
const RETENTION_MS = 32 * DAY_MS;

/**
 * Leaves of an endpoint that its id was taken, so that its creation cannot be repeated: for ever
 * where that had an Idempotency-Key. Refused like `saveEndpoint`. `setAside` follows.
 */
export function deleteEndpoint(endpoint: Endpoint, nowMs: number): Write[] {
  const { tenantId, id, fingerprint } = endpoint;
  const key = endpointKey(tenantId, id);
  const ttl = fingerprint ? undefined : Math.floor((nowMs + RETENTION_MS) / SECOND_MS);
  const item = { ...key, v: 1, id, tenant: tenantId, deletedAt: nowMs, fingerprint, ttl };
  return [
    { kind: 'put', table: 'endpoints', item, ...unchanged(endpoint) },
    changeSet(tenantId, -1),
  ];
}

/** Where it is kept that an endpoint was deleted, away from those that are read together. */
function goneKey(tenantId: string, endpointId: string): Key {
  return { pk: tenantId, sk: `GONE#${endpointId}` };
}

/**
 * Puts aside what a deleted endpoint leaves, once nothing is under way to it: whoever reads all
 * endpoints of a tenant would have to read that of all that there ever were. Refused with `busy`
 * when somebody is in the way: it is to be done again, since nobody comes back to it later.
 */
export async function setAside(
  db: Pick<Db, 'commit' | 'get'>,
  { tenantId, endpointId }: { readonly tenantId: string; readonly endpointId: string },
): Promise<void> {
  const key = endpointKey(tenantId, endpointId);
  const item = await db.get('endpoints', key);
  if (item?.deletedAt === undefined) return;
  const commit = await db.commit([
    { kind: 'put', table: 'endpoints', item: { ...item, ...goneKey(tenantId, endpointId) } },
    { kind: 'remove', table: 'endpoints', key, condition: 'attribute_exists(deletedAt)' },
  ]);
  // Only who has done it already makes that condition fail.
  const isDone = commit.ok || commit.reasons.some((it) => it.code === 'condition');
  if (!isDone) throw new Problem('busy');
}

/** The item of an endpoint, or what it has left. Undefined when there never was one. */
export async function findTaken(
  db: Pick<Db, 'get'>,
  tenantId: string,
  endpointId: string,
): Promise<Item | undefined> {
  const item = await db.get('endpoints', endpointKey(tenantId, endpointId));
  return item ?? db.get('endpoints', goneKey(tenantId, endpointId));
}

/** Tells every relay that the tenant's set of endpoints is another one. */
function changeSet(tenantId: string, members: 0 | -1): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: setKey(tenantId),
    update: 'SET v = :one ADD version :one, members :members',
    values: { ':one': 1, ':members': members },
  };
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
    update: 'SET v = :one ADD version :one, members :one',
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

/** The endpoint in a stored item. Undefined without one, and for what a deleted one leaves. */
export function toEndpoint(item: Item | undefined): Endpoint | undefined {
  if (!item || item.deletedAt !== undefined) return undefined;
  const stored = EndpointItem.parse(known(item));
  const { id, url, eventTypes, description, status, disabledReason, slow } = stored;
  const { timeoutMs, onUnknown, perSecond, secrets, fileDefaults, revision, fingerprint } = stored;
  const { headers, headerNames } = stored;
  return {
    ...{ id, url, eventTypes, description, status, disabledReason, slow },
    ...{ timeoutMs, onUnknown, perSecond, secrets, fileDefaults, revision, fingerprint },
    tenantId: stored.tenant,
    slowAtMs: stored.slowAt,
    retry: {
      maxAttempts: stored.maxAttempts,
      scheduleSeconds: stored.schedule,
      isTest: stored.isTest,
    },
    headers: headers === undefined ? undefined : { names: headerNames, sealed: headers },
    createdAtMs: stored.createdAt,
    updatedAtMs: stored.updatedAt,
  };
}

/** Undefined when this tenant has no such endpoint. */
export async function findEndpoint(
  db: Pick<Db, 'get'>,
  tenantId: string,
  endpointId: string,
): Promise<Endpoint | undefined> {
  return toEndpoint(await db.get('endpoints', endpointKey(tenantId, endpointId)));
}

/** All endpoints of a tenant, in the order of their ids; at most a thousand. */
export async function listEndpoints(db: Pick<Db, 'query'>, tenantId: string): Promise<Endpoint[]> {
  const found: Endpoint[] = [];
  const query = { table: 'endpoints', pk: tenantId, sk: { prefix: 'end_' } } as const;
  for await (const items of pagesOf(db, query)) {
    found.push(...items.flatMap((it) => toEndpoint(it) ?? []));
  }
  return found;
}
