import * as z from 'zod';
import { defineRoute, SCOPES } from '../shared/http/route.ts';
import { Instant, id, PageQuery, pageOf, text } from '../shared/wire.ts';
import { LIMITS_MAX } from './tenant.ts';

const perSecond = z.int().min(1).max(LIMITS_MAX.requestsPerSecond);
const burst = z.int().min(1).max(LIMITS_MAX.burst);

const Limits = z.strictObject({
  requestsPerSecond: perSecond.optional().meta({
    description: 'The highest rate of a key, and that of keys without their own. Default: 100.',
  }),
  burst: burst.optional().meta({
    description: 'The highest burst of a key. Default: twice requestsPerSecond.',
  }),
  endpoints: z.int().min(1).max(LIMITS_MAX.endpoints).optional().meta({
    description: 'How many endpoints it may have; it keeps those that it has. Default: 1,000.',
  }),
  dailyEvents: z
    .int()
    .min(1)
    .max(LIMITS_MAX.dailyEvents)
    .nullable()
    .optional()
    .meta({
      description:
        'How many events it may send in a day, UTC. Alerts, tasks that send an event, and ' +
        'received webhooks count as one each; alerts of files do not. Default, and null: no limit.',
    }),
});

const requireIdempotencyKeys = z.boolean().meta({
  description: 'Every creation needs an Idempotency-Key, and not only those that move money.',
});

const CreateTenantBody = z.strictObject({
  name: text(1, 200),
  mode: z.enum(['live', 'test']).default('live').meta({
    description:
      'For good: keys and endpoints are made by it. `test` retries a hundred times as fast.',
  }),
  limits: Limits.prefault({}),
  settings: z
    .strictObject({ requireIdempotencyKeys: requireIdempotencyKeys.default(false) })
    .prefault({}),
});

const UpdateTenantBody = z.strictObject({
  name: text(1, 200).optional(),
  limits: Limits.optional(),
  settings: z
    .strictObject({ requireIdempotencyKeys: requireIdempotencyKeys.optional() })
    .optional(),
});

const Tenant = z.object({
  id: id('ten'),
  object: z.literal('tenant'),
  name: z.string(),
  mode: z.enum(['live', 'test']),
  limits: z.object({
    requestsPerSecond: z.int(),
    burst: z.int(),
    endpoints: z.int(),
    dailyEvents: z.int().optional(),
  }),
  settings: z.object({ requireIdempotencyKeys: z.boolean() }),
  createdAt: z.string(),
});

const GrantedScopes = z.array(z.enum([...SCOPES, '*']));

const FirstKey = z.object({
  id: id('key'),
  key: z
    .string()
    .optional()
    .meta({ description: 'Shown once: a replayed creation leaves it out.' }),
  scopes: GrantedScopes,
});

export const createTenantRoute = defineRoute({
  method: 'POST',
  path: '/v1/tenants',
  summary: 'Make a tenant and its first API key',
  access: 'admin',
  idempotencyKey: 'accepted',
  body: CreateTenantBody,
  reply: { status: 201, schema: Tenant.extend({ apiKey: FirstKey.optional() }) },
  refusals: ['idempotency_key_reused', 'busy'],
});

export const listTenantsRoute = defineRoute({
  method: 'GET',
  path: '/v1/tenants',
  summary: 'Tenants, newest first',
  access: 'admin',
  query: z.strictObject(PageQuery),
  reply: { status: 200, schema: pageOf(Tenant) },
  refusals: ['invalid_cursor'],
});

export const getTenantRoute = defineRoute({
  method: 'GET',
  path: '/v1/tenants/{id}',
  summary: 'One tenant',
  access: 'admin',
  params: z.object({ id: id('ten') }),
  reply: { status: 200, schema: Tenant },
  refusals: ['not_found'],
});

export const updateTenantRoute = defineRoute({
  method: 'PATCH',
  path: '/v1/tenants/{id}',
  summary: 'Change a tenant: its name, limits and settings, which hold within 30 seconds',
  access: 'admin',
  params: z.object({ id: id('ten') }),
  body: UpdateTenantBody,
  reply: { status: 200, schema: Tenant },
  refusals: ['not_found', 'busy'],
});

export const getOwnTenantRoute = defineRoute({
  method: 'GET',
  path: '/v1/tenant',
  summary: "The caller's own tenant",
  access: 'tenant',
  reply: { status: 200, schema: Tenant },
});

// All of them, and `*`.
const Scopes = GrantedScopes.min(1)
  .max(SCOPES.length + 1)
  .refine((it) => new Set(it).size === it.length, 'names a scope twice')
  .meta({
    description: 'What the key opens: scopes, or * for all. Writing does not imply reading.',
  });

const CreateKeyBody = z.strictObject({
  name: text(1, 200),
  scopes: Scopes,
  rateLimit: z
    .strictObject({ perSecond, burst })
    .optional()
    .meta({ description: 'At most that of the tenant, which is also the default.' }),
  expiresAt: Instant.optional().meta({ description: 'The key opens nothing from then on.' }),
});

const Key = z.object({
  id: id('key'),
  object: z.literal('key'),
  name: z.string(),
  scopes: GrantedScopes,
  lastFour: z.string().meta({ description: 'The end of the key.' }),
  status: z.enum(['active', 'revoked', 'expired']),
  rateLimit: z.object({ perSecond: z.int(), burst: z.int() }).optional(),
  expiresAt: z.string().optional(),
  revokedAt: z
    .string()
    .optional()
    .meta({ description: 'In the future while a rotated key overlaps with its successor.' }),
  createdAt: z.string(),
});

const NewKey = Key.extend({
  key: z
    .string()
    .optional()
    .meta({ description: 'The key itself. Shown once: a replay leaves it out.' }),
});

export const createKeyRoute = defineRoute({
  method: 'POST',
  path: '/v1/keys',
  summary: "Make an API key, within the caller's own scopes",
  access: 'keys:write',
  idempotencyKey: 'accepted',
  body: CreateKeyBody,
  reply: { status: 201, schema: NewKey },
  refusals: ['idempotency_key_reused', 'busy'],
});

export const createTenantKeyRoute = defineRoute({
  method: 'POST',
  path: '/v1/tenants/{id}/keys',
  summary: 'Make an API key for a tenant, for instance when its first one got lost',
  access: 'admin',
  idempotencyKey: 'accepted',
  params: z.object({ id: id('ten') }),
  mayLackBody: true,
  body: CreateKeyBody.extend({
    name: text(1, 200).default('made by the operator'),
    scopes: Scopes.default(['*']),
  }),
  reply: { status: 201, schema: NewKey },
  refusals: ['not_found', 'idempotency_key_reused', 'busy'],
});

export const listKeysRoute = defineRoute({
  method: 'GET',
  path: '/v1/keys',
  summary: 'API keys, newest first; revoked and expired ones stay on the list',
  access: 'keys:read',
  query: z.strictObject(PageQuery),
  reply: { status: 200, schema: pageOf(Key) },
  refusals: ['invalid_cursor'],
});

export const getKeyRoute = defineRoute({
  method: 'GET',
  path: '/v1/keys/{id}',
  summary: 'One API key',
  access: 'keys:read',
  params: z.object({ id: id('key') }),
  reply: { status: 200, schema: Key },
  refusals: ['not_found'],
});

export const revokeKeyRoute = defineRoute({
  method: 'DELETE',
  path: '/v1/keys/{id}',
  summary: 'Revoke an API key, effective within 30 seconds; repeating it changes nothing',
  access: 'keys:write',
  params: z.object({ id: id('key') }),
  reply: { status: 200, schema: Key },
  refusals: ['not_found', 'busy'],
});

/** So long may a rotated key live on: whoever has it still must learn of the new one. */
const OVERLAP_SECONDS_MAX = 2_592_000;

export const rotateKeyRoute = defineRoute({
  method: 'POST',
  path: '/v1/keys/{id}/rotate',
  summary: 'Replace an API key by a new one with the same rights',
  access: 'keys:write',
  idempotencyKey: 'accepted',
  params: z.object({ id: id('key') }),
  mayLackBody: true,
  body: z.strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(OVERLAP_SECONDS_MAX)
      .default(0)
      .meta({ description: 'So long the old key lives on.' }),
  }),
  reply: { status: 201, schema: NewKey },
  refusals: ['not_found', 'conflict', 'idempotency_key_reused', 'busy'],
});

export const tenantRoutes = [
  createTenantRoute,
  listTenantsRoute,
  getTenantRoute,
  updateTenantRoute,
  createTenantKeyRoute,
  getOwnTenantRoute,
  createKeyRoute,
  listKeysRoute,
  getKeyRoute,
  revokeKeyRoute,
  rotateKeyRoute,
];
