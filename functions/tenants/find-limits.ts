import type { World } from '../shared/world.ts';
import { findTenant } from './tenant.store.ts';
import { limitsOf } from './tenant.ts';

/** How many endpoints the tenant may have. */
export async function findEndpointsMax(
  { db }: Pick<World, 'db'>,
  tenantId: string,
): Promise<number> {
  const tenant = await findTenant(db, tenantId);
  return (tenant?.limits ?? limitsOf({})).endpoints;
}
