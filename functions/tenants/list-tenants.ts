import { route } from '../shared/http/route.ts';
import { readPage } from '../shared/page.ts';
import type { World } from '../shared/world.ts';
import { listTenantsRoute } from './contract.ts';
import { loadListed } from './listed.store.ts';
import { TENANTS, toTenant } from './tenant.store.ts';
import { tenantView } from './tenant-view.ts';

type Needs = Pick<World, 'db' | 'secrets'>;

/** GET /v1/tenants: which tenants is up to a second old, what they are is not. */
export const listTenants = route(listTenantsRoute, async ({ query }, world: Needs) => {
  const list = await readPage(
    world,
    { table: 'control', index: 'listing', pk: TENANTS, newestFirst: true },
    { ...query, boundTo: ['admin', 'tenants'] },
  );
  const items = await loadListed(world.db, list.items);
  const { nextCursor } = list;
  const data = items.map((it) => tenantView(toTenant(it)));
  return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
});
