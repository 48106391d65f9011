import * as z from 'zod';
import { known } from '../shared/form.ts';
import { setFields } from '../shared/set-fields.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { type AskedLimits, limitsOf, type Tenant } from './tenant.ts';

/** The partition of the index `listing` in which all tenants stand. */
export const TENANTS = 'T';

/** Stored items are read tolerantly: an unknown field is a later release's. */
const TenantItem = z.object({
  id: z.templateLiteral(['ten_', z.string()]),
  name: z.string(),
  mode: z.enum(['live', 'test']),
  requestsPerSecond: z.number().optional(),
  burst: z.number().optional(),
  endpoints: z.number().optional(),
  dailyEvents: z.number().optional(),
  requireKeys: z.boolean().default(false),
  createdAt: z.number(),
  fp: z.string().optional(),
});

function tenantKey(tenantId: string): Key {
  return { pk: tenantId, sk: '#' };
}

/** Refused when the id is taken: a creation with the same Idempotency-Key. */
export function insertTenant(tenant: Tenant): Write {
  return {
    kind: 'put',
    table: 'control',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...tenantKey(tenant.id),
      v: 1,
      id: tenant.id,
      name: tenant.name,
      mode: tenant.mode,
      ...tenant.limits,
      requireKeys: tenant.settings.requireIdempotencyKeys,
      createdAt: tenant.createdAtMs,
      fp: tenant.fingerprint,
      listingPk: TENANTS,
      listingSk: `${sortableMs(tenant.createdAtMs)}#${tenant.id}`,
    },
  };
}

/** What may change of a tenant. What is absent stays as it is. */
export interface TenantChange {
  readonly name?: string | undefined;
  readonly limits?: AskedLimits | undefined;
  readonly settings?: { readonly requireIdempotencyKeys?: boolean | undefined } | undefined;
}

/**
 * Sets what is named, each field by itself, so that two changes at a time both last; `null` takes
 * a limit away. Refused when there is no such tenant. Undefined when nothing is named.
 */
export function updateTenant(tenantId: string, change: TenantChange): Write | undefined {
  const { name, limits, settings } = change;
  const asked = { name, ...limits, requireKeys: settings?.requireIdempotencyKeys };
  const fields = Object.entries(asked).filter(([, value]) => value !== undefined);
  if (fields.length === 0) return undefined;
  const left = fields.map(([name, value]) => [name, value ?? undefined]);
  return {
    kind: 'update',
    table: 'control',
    key: tenantKey(tenantId),
    ...setFields(Object.fromEntries(left)),
    answersItem: true,
    condition: 'attribute_exists(pk)',
  };
}

/** The tenant in a stored item. */
export function toTenant(item: Item): Tenant {
  const parsed = TenantItem.parse(known(item));
  const { createdAt, fp, requestsPerSecond, burst, endpoints, ...rest } = parsed;
  const { dailyEvents, requireKeys, ...stored } = rest;
  const limits = limitsOf({ requestsPerSecond, burst, endpoints, dailyEvents });
  const settings = { requireIdempotencyKeys: requireKeys };
  return { ...stored, limits, settings, createdAtMs: createdAt, fingerprint: fp };
}

/** Undefined when there is no such tenant. */
export async function findTenant(
  db: Pick<Db, 'get'>,
  tenantId: string,
): Promise<Tenant | undefined> {
  const item = await db.get('control', tenantKey(tenantId));
  return item && toTenant(item);
}
