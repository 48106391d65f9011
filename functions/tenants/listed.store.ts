import type { Db, Item } from '../shared/world.ts';

/** The items behind entries of the index `listing`, in their order, as they are now. */
export async function loadListed(db: Pick<Db, 'getAll'>, entries: readonly Item[]) {
  const keys = entries.map(({ pk, sk }) => {
    return { table: 'control' as const, pk: String(pk), sk: String(sk) };
  });
  const items = keys.length > 0 ? await db.getAll(keys) : [];
  return items.filter((it) => it !== undefined);
}
