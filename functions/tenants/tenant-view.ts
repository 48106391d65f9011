import { toInstant } from '../shared/wire.ts';
import type { Tenant } from './tenant.ts';

/** The tenant as the API shows it. */
export function tenantView(tenant: Tenant) {
  return {
    id: tenant.id,
    object: 'tenant' as const,
    name: tenant.name,
    mode: tenant.mode,
    limits: { ...tenant.limits },
    settings: { ...tenant.settings },
    createdAt: toInstant(tenant.createdAtMs),
  };
}
