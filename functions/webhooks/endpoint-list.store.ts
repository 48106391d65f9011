import type { Db, Item } from '../shared/world.ts';
import { toEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';

/** The endpoints of a tenant, of which some may be damaged. */
export interface FoundEndpoints {
  readonly endpoints: readonly Endpoint[];
  /** Where those lie that cannot be read. */
  readonly damaged: readonly string[];
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
