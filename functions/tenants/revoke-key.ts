import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { endApiKey, findApiKey } from './api-key.store.ts';
import { type ApiKey, covers, endOf } from './api-key.ts';
import { apiKeyView } from './api-key-view.ts';
import { revokeKeyRoute } from './contract.ts';
import { findCaller } from './find-caller.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** So often a rotation of the same key may come in between. */
const TRIES_MAX = 3;

/**
 * DELETE /v1/keys/{id}. A key that has ended before keeps the time at which it did. To revoke hands
 * out nothing: unlike a rotation it asks for the scopes alone, and not for the rate or the life.
 */
export const revokeKey = route(revokeKeyRoute, async (call, world: Needs) => {
  const caller = await findCaller(call, world);
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const key = await findOwnKey(world, call.tenantId, call.params.id);
    if (!covers(caller.scopes, key.scopes)) {
      throw new Problem('forbidden_scope', { detail: 'That key has scopes that yours lacks.' });
    }
    const nowMs = world.clock.nowMs();
    if (key.ended) return { body: apiKeyView(key, nowMs) };
    const atMs = endOf(key, nowMs);
    const commit = await commitDespiteConflicts(world, endApiKey(key, { atMs, atOnce: true }));
    const ended = { ...key, revokedAtMs: atMs, ended: true };
    if (commit.ok) return { body: apiKeyView(ended, nowMs) };
  }
  throw new Problem('busy');
});

/** Refuses with `not_found` what is not a key of this tenant. */
export async function findOwnKey(
  { db }: Pick<World, 'db'>,
  tenantId: string,
  keyId: string,
): Promise<ApiKey> {
  const key = await findApiKey(db, tenantId, keyId);
  if (!key) throw new Problem('not_found');
  return key;
}
