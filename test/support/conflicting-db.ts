import type { Db, Write } from '../../functions/shared/world.ts';

/** The same tables; others are in the way of the first so many writes that are such ones. */
export function conflictingDb(db: Db, times: number, isSuch: (write: Write) => boolean): Db {
  let left = times;
  const commit: Db['commit'] = async (writes) => {
    if (left === 0 || !writes.some(isSuch)) return db.commit(writes);
    left -= 1;
    return {
      ok: false,
      reasons: writes.map((it) => ({ code: isSuch(it) ? 'conflict' : 'none' }) as const),
    };
  };
  return { ...db, commit };
}
