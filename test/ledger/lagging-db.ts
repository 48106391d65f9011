import { setTimeout } from 'node:timers/promises';
import type {
  Clock,
  Commit,
  Db,
  Item,
  Key,
  TableName,
  Write,
} from '../../functions/shared/world.ts';
import type { Dice } from '../support/fuzz/dice.ts';

const LAG_MS_MAX = 20;
const READING_MS_MAX = 5;

/** A clock that stands still, and on which those who sleep do so: commits show in real time. */
export function patientClock({ nowMs }: Pick<Clock, 'nowMs'>): Clock {
  return { nowMs, sleep: (ms) => setTimeout(ms) };
}

type Place = Key & { readonly table: TableName };

/** An item of a commit that does not show in it yet: as it was before, once that is known. */
interface Late {
  before?: { readonly item: Item | undefined };
}

/**
 * The database as DynamoDB lets others see a commit: in one of its items after the other, and who
 * writes to one that does not show it yet is in conflict. Whoever committed is answered at the end.
 */
export function laggingDb(db: Db, dice: Dice): Db {
  const late = new Map<string, Late>();
  const shown = (place: Place | undefined, item: Item | undefined) => {
    const { before } = (place && late.get(nameOf(place))) ?? {};
    return before ? before.item : item;
  };
  const getAll: Db['getAll'] = async (keys) => {
    await setTimeout(dice.below(READING_MS_MAX));
    return (await db.getAll(keys)).map((item, at) => shown(keys[at], item));
  };
  return {
    get: async (table, key) => (await getAll([{ table, ...key }]))[0],
    getAll,
    async query(asked) {
      const page = await db.query(asked);
      if (asked.index !== undefined) return page;
      const items = page.items.map((it) =>
        shown({ table: asked.table, pk: String(it.pk), sk: String(it.sk) }, it),
      );
      return { ...page, items: items.filter((it) => it !== undefined) };
    },
    commit: (writes) => commitSlowly(db, writes, { late, dice }),
  };
}

async function commitSlowly(
  db: Db,
  writes: readonly Write[],
  { late, dice }: { readonly late: Map<string, Late>; readonly dice: Dice },
): Promise<Commit> {
  const places = writes.map(placeOf);
  const taken = places.map((it) => late.has(nameOf(it)));
  if (taken.includes(true)) {
    return { ok: false, reasons: taken.map((it) => ({ code: it ? 'conflict' : 'none' })) };
  }
  if (writes.length === 1) return db.commit(writes);
  // Nobody else gets at them from here on.
  const held = places.map((): Late => ({}));
  for (const [at, place] of places.entries()) late.set(nameOf(place), held[at] ?? {});
  const images = await db.getAll(places);
  for (const [at, it] of held.entries()) it.before = { item: images[at] };
  const commit = await db.commit(writes);
  const free = (place: Place) => late.delete(nameOf(place));
  if (!commit.ok) places.forEach(free);
  else {
    await Promise.all(
      places.map(async (place) => {
        await setTimeout(dice.below(LAG_MS_MAX));
        free(place);
      }),
    );
  }
  return commit;
}

function nameOf({ table, pk, sk }: Place): string {
  return `${table} ${pk} ${sk}`;
}

function placeOf(write: Write): Place {
  const { pk, sk } = write.kind === 'put' ? write.item : write.key;
  return { table: write.table, pk, sk };
}
