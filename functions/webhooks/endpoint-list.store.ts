import type { Db, Item } from '../shared/world.ts';
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
  let next: Item | undefined;
  do {
    const query = { table: 'endpoints', pk: tenantId, sk, limit: count } as const;
    const page = await db.query({ ...query, ...(next && { after: next }) });
    // A deleted one leaves its id.
    ids.push(...page.items.flatMap((it) => (it.deletedAt === undefined ? [String(it.sk)] : [])));
    next = page.next;
  } while (next && ids.length < count);
  return ids.slice(0, count);
}

/** All endpoints of a tenant that can be read: a damaged one must not hide the others. */
export async function findReadableEndpoints(
  db: Pick<Db, 'query'>,
  tenantId: string,
): Promise<FoundEndpoints> {
  const endpoints: Endpoint[] = [];
  const damaged: string[] = [];
  let after: Item | undefined;
  do {
    const query = { table: 'endpoints', pk: tenantId, sk: { prefix: 'end_' } } as const;
    const page = await db.query({ ...query, ...(after && { after }) });
    for (const item of page.items) {
      try {
        endpoints.push(...[toEndpoint(item) ?? []].flat());
      } catch {
        damaged.push(String(item.sk));
      }
    }
    after = page.next;
  } while (after);
  return { endpoints, damaged };
}
