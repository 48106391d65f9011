import type { World } from '../shared/world.ts';
import { findTenant } from './tenant.store.ts';
import { limitsOf } from './tenant.ts';

/** What a tenant's endpoints have to heed. */
export interface EndpointTerms {
  /** How many it may have. */
  readonly max: number;
  /** Whether they are for trying things out. */
  readonly isTest: boolean;
}

/** Whether there is such a tenant. */
export async function isTenant({ db }: Pick<World, 'db'>, tenantId: string): Promise<boolean> {
  return (await findTenant(db, tenantId)) !== undefined;
}

/** What holds for the endpoints of this tenant. */
export async function findEndpointTerms(
  { db }: Pick<World, 'db'>,
  tenantId: string,
): Promise<EndpointTerms> {
  const tenant = await findTenant(db, tenantId);
  const { endpoints: max } = tenant?.limits ?? limitsOf({});
  return { max, isTest: tenant?.mode === 'test' };
}
