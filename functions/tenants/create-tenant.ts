import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { findCallingKey, insertApiKey } from './api-key.store.ts';
import { createTenantRoute } from './contract.ts';
import { draftKey } from './draft-key.ts';
import { insertTenant, toTenant } from './tenant.store.ts';
import { limitsOf, type Tenant } from './tenant.ts';
import { tenantView } from './tenant-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'>;

/** POST /v1/tenants. The tenant and its first key are one commit: no tenant is without a key. */
export const createTenant = route(createTenantRoute, async (call, world: Needs) => {
  const tenant = draftTenant(call, world);
  const { key, raw } = firstKey(tenant, world);
  const commit = await commitDespiteConflicts(world, [insertTenant(tenant), ...insertApiKey(key)]);
  // Known to be done, or done and not known to be: then its own repetition is refused.
  if (commit.ok || (await findCallingKey(world.db, key.hash))) {
    const apiKey = { id: key.id, key: raw, scopes: [...key.scopes] };
    return { body: { ...tenantView(tenant), apiKey } };
  }

  const taken = commit.reasons[0]?.item;
  if (!taken) throw new Error('a tenant was refused by something else than its id');
  const winner = toTenant(taken);
  assertSameRequest(winner, call.idempotency);
  return { body: tenantView(winner), replayed: true };
});

function draftTenant(call: Call<typeof createTenantRoute>, { ids, clock }: Needs): Tenant {
  // Tenants are made by the operator: their keys are unique among all tenants.
  const scope = { tenantId: 'admin', scope: 'tenants', idempotency: call.idempotency };
  return {
    id: creationId('ten', scope, ids),
    name: call.body.name,
    mode: call.body.mode,
    limits: limitsOf(call.body.limits),
    settings: call.body.settings,
    createdAtMs: clock.nowMs(),
    fingerprint: call.idempotency?.fingerprint,
  };
}

function firstKey(tenant: Tenant, { ids }: Needs) {
  const { createdAtMs } = tenant;
  const wish = { id: ids.next('key'), name: 'first key', scopes: ['*'] as const, createdAtMs };
  return draftKey(tenant, wish, ids);
}
