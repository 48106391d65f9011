import { pagesOf } from '../shared/page.ts';
import type { Db } from '../shared/world.ts';
import { toEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';

/** The endpoints of a tenant, of which some may be damaged. */
export interface FoundEndpoints {
  readonly endpoints: readonly Endpoint[];
  /** Where those lie that cannot be read. */
  readonly damaged: readonly string[];
}

/** The ids of a tenant's endpoints behind `after`, in their order: `count` of them at most. */
export async function findEndpointIds(
  db: Pick<Db, 'query'>,
  tenantId: string,
  { after, count }: { readonly after: string; readonly count: number },
): Promise<string[]> {
  // '~' sorts behind every id, and behind what begins like one.
  const sk = { from: after === '' ? 'end_' : `${after}~`, to: 'end_~' };
  const ids: string[] = [];
  const query = { table: 'endpoints', pk: tenantId, sk, limit: count } as const;
  for await (const items of pagesOf(db, query)) {
    // A deleted one leaves its id.
    ids.push(...items.flatMap((it) => (it.deletedAt === undefined ? [String(it.sk)] : [])));
    if (ids.length >= count) break;
  }
  return ids.slice(0, count);
}

/** All endpoints of a tenant that can be read: a damaged one must not hide the others. */
export async function findReadableEndpoints(
  db: Pick<Db, 'query'>,
  tenantId: string,
): Promise<FoundEndpoints> {
  const endpoints: Endpoint[] = [];
  const damaged: string[] = [];
  const query = { table: 'endpoints', pk: tenantId, sk: { prefix: 'end_' } } as const;
  for await (const items of pagesOf(db, query)) {
    for (const item of items) {
      try {
        endpoints.push(...[toEndpoint(item) ?? []].flat());
      } catch {
        damaged.push(String(item.sk));
      }
    }
  }
  return { endpoints, damaged };
}
