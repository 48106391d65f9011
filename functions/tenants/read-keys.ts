import { route } from '../shared/http/route.ts';
import { readPage } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findApiKey, keysOf, toApiKey } from './api-key.store.ts';
import { apiKeyView } from './api-key-view.ts';
import { getKeyRoute, listKeysRoute } from './contract.ts';
import { loadListed } from './listed.store.ts';

type Needs = Pick<World, 'clock' | 'db' | 'secrets'>;

/** GET /v1/keys: which keys is up to a second old, what they are is not. */
export const listKeys = route(listKeysRoute, async ({ tenantId, query }, world: Needs) => {
  const list = await readPage(
    world,
    { table: 'control', index: 'listing', pk: keysOf(tenantId), newestFirst: true },
    { ...query, boundTo: [tenantId, 'keys'] },
  );
  const items = await loadListed(world.db, list.items);
  const { nextCursor } = list;
  const data = items.map((it) => apiKeyView(toApiKey(it), world.clock.nowMs()));
  return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
});

/** GET /v1/keys/{id}: strongly consistent. */
export const getKey = route(getKeyRoute, async ({ tenantId, params }, world: Needs) => {
  const key = await findApiKey(world.db, tenantId, params.id);
  if (!key) throw new Problem('not_found');
  return { body: apiKeyView(key, world.clock.nowMs()) };
});
