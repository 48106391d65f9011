import * as z from 'zod';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Write } from '../shared/world.ts';
import type { Tenant } from './tenant.ts';

const TenantItem = z.object({
  id: z.templateLiteral(['ten_', z.string()]),
  name: z.string(),
  mode: z.enum(['live', 'test']),
  createdAt: z.number(),
  fp: z.string().optional(),
});

/** Refused when the id is taken: a creation with the same Idempotency-Key. */
export function insertTenant(tenant: Tenant): Write {
  return {
    kind: 'put',
    table: 'control',
    condition: 'attribute_not_exists(pk)',
    item: {
      pk: tenant.id,
      sk: '#',
      v: 1,
      id: tenant.id,
      name: tenant.name,
      mode: tenant.mode,
      createdAt: tenant.createdAtMs,
      fp: tenant.fingerprint,
      listingPk: 'T',
      listingSk: `${sortableMs(tenant.createdAtMs)}#${tenant.id}`,
    },
  };
}

/** The tenant in a stored item. */
export function toTenant(item: Item): Tenant {
  const { createdAt, fp, ...stored } = TenantItem.parse(item);
  return { ...stored, createdAtMs: createdAt, fingerprint: fp };
}

/** Undefined when there is no such tenant. */
export async function findTenant(
  db: Pick<Db, 'get'>,
  tenantId: string,
): Promise<Tenant | undefined> {
  const item = await db.get('control', { pk: tenantId, sk: '#' });
  return item && toTenant(item);
}
