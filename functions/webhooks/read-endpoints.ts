import { type Call, route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { readMasterKey } from '../shared/sealed.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { World } from '../shared/world.ts';
import {
  getEndpointRoute,
  getEndpointSecretRoute,
  listEndpointsRoute,
} from './endpoint.contract.ts';
import { findEndpoint, listEndpoints as listAll } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';
import { openSecrets } from './endpoint-sealing.ts';
import { endpointView } from './endpoint-view.ts';

type Needs = Pick<World, 'clock' | 'db' | 'secrets'>;
type Found = Pick<Call<typeof getEndpointRoute>, 'tenantId' | 'params'>;

/** GET /v1/endpoints/{id}: strongly consistent. */
export const getEndpoint = route(getEndpointRoute, async (call, world: Needs) => ({
  body: endpointView(await requireEndpoint(call, world)),
}));

/** GET /v1/endpoints/{id}/secret: the newest of its secrets. */
export const getEndpointSecret = route(getEndpointSecretRoute, async (call, world: Needs) => {
  const endpoint = await requireEndpoint(call, world);
  const masterKey = readMasterKey(await world.secrets.read('master-key'));
  const [secret] = openSecrets(endpoint, masterKey, world.clock.nowMs());
  if (secret === undefined) throw new Error(`endpoint ${endpoint.id} has no secret`);
  return { body: { secret } };
});

/** The endpoint that a route names. Refuses with `not_found`. */
export async function requireEndpoint(
  { tenantId, params }: Found,
  { db }: Pick<World, 'db'>,
): Promise<Endpoint> {
  const endpoint = await findEndpoint(db, tenantId, params.id);
  if (!endpoint) throw new Problem('not_found');
  return endpoint;
}

/**
 * GET /v1/endpoints. Ids that are derived from a key are not in time order, so all of a tenant's
 * endpoints, which are few, are read and sorted.
 */
export const listEndpoints = route(
  listEndpointsRoute,
  async ({ tenantId, query }, world: Needs) => {
    const cursorKey = await world.secrets.read('cursor-key');
    const boundTo = [tenantId, 'endpoints', query.status ?? ''];
    const after = query.cursor && openCursor(query.cursor, boundTo, cursorKey).place;
    const all = await listAll(world.db, tenantId);
    const rest = all
      .sort((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1))
      .filter((it) => query.status === undefined || it.status === query.status)
      .filter((it) => typeof after !== 'string' || placeOf(it) < after);
    const page = rest.slice(0, query.limit);
    const last = page.at(-1);
    const hasMore = rest.length > page.length;
    const next = hasMore && last ? { place: placeOf(last) } : undefined;
    const nextCursor = next && makeCursor(next, boundTo, cursorKey);
    return { body: { data: page.map(endpointView), nextCursor, hasMore } };
  },
);

function placeOf({ createdAtMs, id }: Endpoint): string {
  return `${sortableMs(createdAtMs)}#${id}`;
}
