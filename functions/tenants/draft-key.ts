import type { IdempotencyKey } from '../shared/http/route.ts';
import type { Ids } from '../shared/world.ts';
import { type ApiKey, formatKey, SECRET_BYTES, tracesOf } from './api-key.ts';
import type { Tenant } from './tenant.ts';

/** A key that is about to be stored, and the key itself, which is shown and forgotten. */
export interface DraftedKey {
  readonly key: ApiKey;
  readonly raw: string;
}

/** What a new key is to be. */
export type KeyWish = Pick<ApiKey, 'id' | 'name' | 'scopes' | 'createdAtMs'> &
  Partial<Pick<ApiKey, 'rateLimit' | 'expiresAtMs'>> & {
    readonly idempotency?: IdempotencyKey | undefined;
  };

/** A key of the tenant with a fresh secret. */
export function draftKey(
  tenant: Pick<Tenant, 'id' | 'mode'>,
  { idempotency, ...wish }: KeyWish,
  ids: Pick<Ids, 'secretBytes'>,
): DraftedKey {
  const raw = formatKey(tenant.mode, wish.id, ids.secretBytes(SECRET_BYTES));
  const fingerprint = idempotency?.fingerprint;
  return { key: { ...wish, ...tracesOf(raw), tenantId: tenant.id, fingerprint }, raw };
}
