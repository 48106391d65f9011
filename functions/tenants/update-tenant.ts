import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { updateTenantRoute } from './contract.ts';
import { findTenant, toTenant, updateTenant as updateOf } from './tenant.store.ts';
import { tenantView } from './tenant-view.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** PATCH /v1/tenants/{id}. New limits hold within 30 seconds, as long as keys are remembered. */
export const updateTenant = route(updateTenantRoute, async ({ params, body }, world: Needs) => {
  const write = updateOf(params.id, body);
  const commit = write && (await commitDespiteConflicts(world, [write]));
  if (commit?.ok && commit.item) return { body: tenantView(toTenant(commit.item)) };

  const tenant = commit ? undefined : await findTenant(world.db, params.id);
  if (!tenant) throw new Problem('not_found');
  return { body: tenantView(tenant) };
});
