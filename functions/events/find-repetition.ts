import { creationId } from '../shared/http/idempotency.ts';
import type { IdempotencyKey } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { findEventKey } from './event-key.store.ts';

/** Who sends, and under which key, which is unique in its scope. */
export interface Keyed {
  readonly tenantId: string;
  readonly idempotency: IdempotencyKey | undefined;
  readonly scope: 'events' | 'alerts';
}

/**
 * Whether the key is there already. Then the request is answered as the first one was, or refused
 * for its key: whatever has changed since stands in the way of neither. 1 RRU, with a key.
 */
export async function isRepeated(
  { db, ids }: Pick<World, 'db' | 'ids'>,
  { tenantId, idempotency, scope }: Keyed,
): Promise<boolean> {
  if (!idempotency) return false;
  const keyId = creationId('evt', { tenantId, scope, idempotency }, ids);
  return (await findEventKey(db, tenantId, keyId)) !== undefined;
}
