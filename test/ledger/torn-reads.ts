import { setTimeout } from 'node:timers/promises';
import type { Db, Item } from '../../functions/shared/world.ts';
import type { Dice } from '../support/fuzz/dice.ts';

const PAUSE_MS_MAX = 4;

/**
 * The database as nobody may expect it to be better: a batch of reads, or a query, is no snapshot.
 * Each of its items is read by itself, in any order, while others write.
 */
export function tornReads(db: Db, dice: Dice): Db {
  const pause = () => setTimeout(dice.below(PAUSE_MS_MAX));
  const getAll: Db['getAll'] = async (keys) => {
    const places = shuffled([...keys.keys()], dice);
    const found = new Map<number, Item | undefined>();
    for (const place of places) {
      await pause();
      found.set(place, (await db.getAll(keys.slice(place, place + 1)))[0]);
    }
    return keys.map((_key, place) => found.get(place));
  };
  return {
    async get(table, key) {
      await pause();
      return db.get(table, key);
    },
    getAll,
    async query(asked) {
      const page = await db.query(asked);
      if (asked.index !== undefined) return page;
      const keys = page.items.map(({ pk, sk }) => ({ pk: String(pk), sk: String(sk) }));
      const items = await getAll(keys.map((key) => ({ table: asked.table, ...key })));
      return { ...page, items: items.filter((it) => it !== undefined) };
    },
    async commit(writes) {
      await pause();
      return db.commit(writes);
    },
  };
}

function shuffled<Value>(list: readonly Value[], dice: Dice): Value[] {
  return list
    .map((value) => ({ value, at: dice.below(2 ** 31) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
