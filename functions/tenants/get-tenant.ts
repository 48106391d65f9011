import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { getOwnTenantRoute, getTenantRoute } from './contract.ts';
import { findTenant } from './tenant.store.ts';
import { tenantView } from './tenant-view.ts';

type Needs = Pick<World, 'db'>;

/** GET /v1/tenants/{id}, for the operator. */
export const getTenant = route(getTenantRoute, async ({ params }, world: Needs) =>
  answerTenant(params.id, world),
);

/** GET /v1/tenant: whose key this is. */
export const getOwnTenant = route(getOwnTenantRoute, async ({ tenantId }, world: Needs) =>
  answerTenant(tenantId, world),
);

async function answerTenant(tenantId: string, { db }: Needs) {
  const tenant = await findTenant(db, tenantId);
  if (!tenant) throw new Problem('not_found');
  return { body: tenantView(tenant) };
}
