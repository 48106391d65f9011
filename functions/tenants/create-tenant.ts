import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { insertApiKey } from './api-key.store.ts';
import { type ApiKey, formatKey, hashKey } from './api-key.ts';
import { createTenantRoute } from './contract.ts';
import { insertTenant, toTenant } from './tenant.store.ts';
import type { Tenant } from './tenant.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'>;

const SECRET_BYTES = 32;

/** POST /v1/tenants. The tenant and its first key are one commit: no tenant is without a key. */
export const createTenant = route(createTenantRoute, async (call, world: Needs) => {
  const tenant = draftTenant(call, world);
  const { key, raw } = firstKey(tenant, world);
  const commit = await commitDespiteConflicts(world, [insertTenant(tenant), ...insertApiKey(key)]);
  if (commit.ok) {
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
    createdAtMs: clock.nowMs(),
    fingerprint: call.idempotency?.fingerprint,
  };
}

function firstKey(tenant: Tenant, { ids }: Needs): { key: ApiKey; raw: string } {
  const keyId = ids.next('key');
  const raw = formatKey(tenant.mode, keyId, ids.secretBytes(SECRET_BYTES));
  const key: ApiKey = {
    id: keyId,
    tenantId: tenant.id,
    name: 'first key',
    scopes: ['*'],
    hash: hashKey(raw),
    lastFour: raw.slice(-4),
    createdAtMs: tenant.createdAtMs,
  };
  return { key, raw };
}

/** The tenant as the API shows it. */
export function tenantView(tenant: Tenant) {
  return {
    id: tenant.id,
    object: 'tenant' as const,
    name: tenant.name,
    mode: tenant.mode,
    createdAt: toInstant(tenant.createdAtMs),
  };
}
