import { SECOND_MS } from '../shared/units.ts';
import { toInstant } from '../shared/wire.ts';
import type { Endpoint } from './endpoint.ts';

/** An endpoint as its tenant sees it, without its secrets and the values of its headers. */
export function endpointView(endpoint: Endpoint) {
  const { perSecond, retry, timeoutMs, createdAtMs, updatedAtMs = createdAtMs } = endpoint;
  const { maxAttempts, scheduleSeconds } = retry;
  return {
    id: endpoint.id,
    object: 'endpoint' as const,
    url: endpoint.url,
    eventTypes: endpoint.eventTypes && [...endpoint.eventTypes],
    description: endpoint.description,
    status: endpoint.status,
    disabledReason: endpoint.disabledReason,
    rateLimit: perSecond === undefined ? undefined : { perSecond },
    retry: { maxAttempts, schedule: scheduleSeconds && [...scheduleSeconds] },
    timeoutSeconds: timeoutMs / SECOND_MS,
    onUnknown: endpoint.onUnknown,
    headerNames: [...(endpoint.headers?.names ?? [])],
    fileDefaults: endpoint.fileDefaults,
    createdAt: toInstant(createdAtMs),
    updatedAt: toInstant(updatedAtMs),
  };
}
