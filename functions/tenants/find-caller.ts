import type { World } from '../shared/world.ts';
import { findApiKey } from './api-key.store.ts';
import { type ApiKey, statusAt } from './api-key.ts';
import { unauthorized } from './authenticate.ts';

/**
 * The key that calls, as it is at this moment: elsewhere it may be remembered for half a minute,
 * in which a revoked one must not make others. Refuses with `unauthorized`. 1 RRU.
 */
export async function findCaller(
  { tenantId, keyId }: { readonly tenantId: string; readonly keyId?: string | undefined },
  { clock, db }: Pick<World, 'clock' | 'db'>,
): Promise<ApiKey> {
  const key = keyId === undefined ? undefined : await findApiKey(db, tenantId, keyId);
  if (key && statusAt(key, clock.nowMs()) === 'active') return key;
  throw unauthorized();
}
