import { deriveId } from '../ids/derive.ts';
import { Problem } from '../problem.ts';
import type { IdPrefix, Ids } from '../world.ts';
import type { IdempotencyKey } from './route.ts';

/**
 * The id of what a POST creates. With an Idempotency-Key it is derived from the tenant, the scope
 * in which the key is unique, and the key: the second request meets the first one's item.
 */
export function creationId<Prefix extends IdPrefix>(
  prefix: Prefix,
  {
    tenantId,
    scope,
    idempotency,
  }: {
    readonly tenantId: string;
    readonly scope: string;
    readonly idempotency: IdempotencyKey | undefined;
  },
  ids: Pick<Ids, 'next'>,
): `${Prefix}_${string}` {
  if (!idempotency) return ids.next(prefix);
  return deriveId(prefix, tenantId, scope, idempotency.key);
}

/** Refuses with `idempotency_key_reused` when the stored object came from another request. */
export function assertSameRequest(
  stored: { readonly fingerprint?: string | undefined },
  request: { readonly fingerprint?: string | undefined } | undefined,
): void {
  if (stored.fingerprint === request?.fingerprint) return;
  throw new Problem('idempotency_key_reused', {
    detail: 'This Idempotency-Key belongs to a request with another method, path or body.',
  });
}
