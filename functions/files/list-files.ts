import { route } from '../shared/http/route.ts';
import { readPage } from '../shared/page.ts';
import type { World } from '../shared/world.ts';
import { listFilesRoute } from './contract.ts';
import { toFile } from './file.store.ts';
import { fileView } from './file-view.ts';

type Needs = Pick<World, 'db' | 'secrets'>;

/** GET /v1/files. The counts of blocks that are under way are only in GET /v1/files/{id}. */
export const listFiles = route(listFilesRoute, async ({ tenantId, query }, world: Needs) => {
  const { items, nextCursor } = await readPage(
    world,
    { table: 'files', index: 'listing', pk: tenantId, newestFirst: true },
    { ...query, boundTo: [tenantId, 'files'] },
  );
  const keys = items.map(({ pk, sk }) => {
    return { table: 'files' as const, pk: String(pk), sk: String(sk) };
  });
  const files = keys.length > 0 ? await world.db.getAll(keys) : [];
  const data = files.flatMap((item) => (item ? [fileView(toFile(item))] : []));
  return {
    body: {
      data,
      hasMore: nextCursor !== undefined,
      ...(nextCursor !== undefined && { nextCursor }),
    },
  };
});
