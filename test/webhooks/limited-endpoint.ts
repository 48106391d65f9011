import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { newTenant, type TestWorld } from '../support/world.ts';

/** An endpoint of a new tenant, as it is known without being stored. Undefined: no limit. */
export function limitedEndpoint(world: TestWorld, perSecond: number | undefined): Endpoint {
  return {
    id: world.ids.next('end'),
    tenantId: newTenant(world),
    url: 'https://example.com/',
    status: 'active',
    retry: { maxAttempts: 3 },
    timeoutMs: 1_000,
    onUnknown: 'resend',
    perSecond,
    secrets: [],
    createdAtMs: 0,
  };
}
