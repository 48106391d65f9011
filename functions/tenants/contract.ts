import * as z from 'zod';
import { defineRoute, SCOPES } from '../shared/http/route.ts';
import { id, text } from '../shared/wire.ts';

const CreateTenantBody = z.strictObject({
  name: text(1, 200),
  mode: z.enum(['live', 'test']).default('live'),
});

const Tenant = z.object({
  id: id('ten'),
  object: z.literal('tenant'),
  name: z.string(),
  mode: z.enum(['live', 'test']),
  createdAt: z.string(),
});

const FirstKey = z.object({
  id: id('key'),
  /** Shown once: a replayed creation leaves it out. */
  key: z.string().optional(),
  scopes: z.array(z.enum([...SCOPES, '*'])),
});

export const createTenantRoute = defineRoute({
  method: 'POST',
  path: '/v1/tenants',
  summary: 'Make a tenant and its first API key',
  access: 'admin',
  idempotencyKey: 'accepted',
  body: CreateTenantBody,
  reply: { status: 201, schema: Tenant.extend({ apiKey: FirstKey.optional() }) },
  refusals: ['idempotency_key_reused'],
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

export const getOwnTenantRoute = defineRoute({
  method: 'GET',
  path: '/v1/tenant',
  summary: "The caller's own tenant",
  access: 'tenant',
  reply: { status: 200, schema: Tenant },
});

export const tenantRoutes = [createTenantRoute, getTenantRoute, getOwnTenantRoute];
