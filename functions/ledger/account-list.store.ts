import { pagesOf } from '../shared/page.ts';
import type { Db, Item } from '../shared/world.ts';
import { listingOf } from './account.store.ts';

/** As many accounts as one call reads. */
const PAGE = 100;

/** The rows of all accounts of a tenant on the list, the oldest first, a page at a time. */
export function listAccountRows(
  db: Pick<Db, 'query'>,
  tenantId: string,
): AsyncGenerator<readonly Item[]> {
  return pagesOf(db, { table: 'ledger', index: 'listing', pk: listingOf(tenantId), limit: PAGE });
}
