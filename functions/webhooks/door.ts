import { isOpen } from './health.ts';
import type { KnownEndpoint } from './remember-endpoints.ts';

/**
 * Whether an endpoint takes webhooks: it does (`open`), a person or its receiver has closed it, or
 * its breaker lets nothing through but probes. Any other than `open` is why a delivery is held.
 */
export type Door = 'open' | 'endpoint_paused' | 'endpoint_disabled' | 'breaker_open';

/** What keeps an endpoint closed that is not active comes before its breaker. */
export function doorOf({ endpoint, health }: Pick<KnownEndpoint, 'endpoint' | 'health'>): Door {
  const { status } = endpoint;
  if (status !== 'active') return `endpoint_${status}`;
  return isOpen(health) ? 'breaker_open' : 'open';
}
