import type { Db, Item, Key, Write } from '../shared/world.ts';
import { countersOf, type Share } from './backlog.ts';

/** How many receipts of one share of a backlog are open. */
function backlogKey(counter: string): Key {
  return { pk: counter, sk: 'BACKLOG' };
}

/**
 * One more receipt is open. Goes with the receipt in one transaction, so that the count is exact.
 * Refused when so many are.
 */
export function raiseBacklog({ counter, cap }: Share): Write {
  return {
    kind: 'update',
    table: 'inbox',
    key: backlogKey(counter),
    update: 'SET v = :one ADD #open :one',
    condition: 'attribute_not_exists(#open) OR #open < :cap',
    names: { '#open': 'open' },
    values: { ':one': 1, ':cap': cap },
  };
}

/** One fewer, or with -1 one more whatever the limit: goes with the end of a receipt. */
export function lowerBacklog(counter: string, by: 1 | -1 = 1): Write {
  return {
    kind: 'update',
    table: 'inbox',
    key: backlogKey(counter),
    update: 'SET v = :v ADD #open :by',
    names: { '#open': 'open' },
    values: { ':v': 1, ':by': -by },
  };
}

/** Sets what was counted otherwise. Refused when it has changed since; undefined: no count. */
export function correctBacklog(counter: string, open: number, was: number | undefined): Write {
  return {
    kind: 'update',
    table: 'inbox',
    key: backlogKey(counter),
    update: 'SET v = :v, #open = :open',
    condition: was === undefined ? 'attribute_not_exists(#open)' : '#open = :was',
    names: { '#open': 'open' },
    values: { ':v': 1, ':open': open, ...(was !== undefined && { ':was': was }) },
  };
}

/** How many are open now, in all shares that there may be. */
export async function findBacklog(db: Pick<Db, 'get'>, counter: string): Promise<number> {
  const open = await readOpen(db, countersOf(counter));
  return open.reduce((sum, it) => sum + it, 0);
}

/**
 * A share with room, by chance (`random` from 0 to 1): one with more room more often, so that many
 * who look at the same moment come apart. Undefined where none has any. One read for each share.
 */
export async function findRoom(
  db: Pick<Db, 'get'>,
  shares: readonly Share[],
  random: number,
): Promise<Share | undefined> {
  const open = await readOpen(
    db,
    shares.map((it) => it.counter),
  );
  const rooms = shares.map(({ cap }, index) => Math.max(0, cap - (open[index] ?? 0)));
  let left = random * rooms.reduce((sum, it) => sum + it, 0);
  return shares.find((_, index) => {
    const room = rooms[index] ?? 0;
    left -= room;
    return room > 0 && left < 0;
  });
}

async function readOpen(db: Pick<Db, 'get'>, counters: readonly string[]): Promise<number[]> {
  const items = await Promise.all(counters.map((it) => db.get('inbox', backlogKey(it))));
  return items.map((it) => openOf(it) ?? 0);
}

/** The count in an item of the inbox; undefined where it is none. */
export function toBacklog(item: Item): { counter: string; open: number } | undefined {
  const open = item.sk === 'BACKLOG' ? openOf(item) : undefined;
  return open === undefined ? undefined : { counter: String(item.pk), open };
}

function openOf(item: Item | undefined): number | undefined {
  return typeof item?.open === 'number' ? item.open : undefined;
}
