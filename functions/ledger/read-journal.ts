import type { OutboxEvent } from '../events/event.ts';
import { readable } from '../shared/form.ts';
import { pagesOf } from '../shared/page.ts';
import type { Item, World } from '../shared/world.ts';
import { holdListing, releaseListing, toHold, toRelease } from './hold.store.ts';
import { HOLD_STATUSES, type Hold } from './hold.ts';
import { holdCaptured, holdCreated, holdReleased } from './hold-view.ts';
import { JOURNAL_SHARDS, journalKey, journalListing, toTransaction } from './transaction.store.ts';
import { transactionPosted } from './transaction-view.ts';

type Needs = Pick<World, 'db'>;

/** Items of the journal that are in memory at once. */
const PAGE = 100;

/** A record of the journal, and what it tells. */
export interface ToldRecord {
  readonly id: string;
  /** Undefined where the record, or the hold that it belongs to, cannot be read. */
  readonly event: OutboxEvent | undefined;
}

/**
 * What a tenant's journal tells, as events with the entries of those that told of it first: posted
 * transactions, holds, and releases, in pages. A hold is told of as it is now. What was committed
 * within the last second may be left out, because it is found by an index.
 */
export async function* readJournal(
  { db }: Needs,
  tenantId: string,
): AsyncGenerator<readonly ToldRecord[]> {
  const shards = Array.from({ length: JOURNAL_SHARDS }, (_, shard) => shard);
  const partitions = [
    ...shards.map((shard) => journalListing(tenantId, 'posted', shard)),
    ...HOLD_STATUSES.map((status) => holdListing(tenantId, status)),
    releaseListing(tenantId),
  ];
  for (const pk of partitions) {
    for await (const items of readPartition(db, pk))
      yield recordsOf(items, await holdsOf(db, items));
  }
}

async function* readPartition(db: Needs['db'], pk: string): AsyncGenerator<Item[]> {
  const query = { table: 'ledger', index: 'listing', pk, limit: PAGE } as const;
  for await (const listed of pagesOf(db, query)) {
    const keys = listed.map((it) => ({ pk: String(it.pk), sk: String(it.sk) }));
    const items = await db.getAll(keys.map((key) => ({ table: 'ledger' as const, ...key })));
    yield items.filter((it) => it !== undefined);
  }
}

/** The holds that transactions and releases belong to: their events tell of them as well. */
async function holdsOf(db: Needs['db'], items: readonly Item[]): Promise<Map<string, Item>> {
  const ids = items.flatMap((it) => (typeof it.hold === 'string' ? [it.hold] : []));
  const keys = items.flatMap((it) =>
    typeof it.hold === 'string' ? [journalKey(String(it.tenant), it.hold)] : [],
  );
  const found = await db.getAll(keys.map((key) => ({ table: 'ledger' as const, ...key })));
  return new Map(found.flatMap((item, index) => (item ? [[ids[index] ?? '', item]] : [])));
}

/** Without its hold nobody can say which account a release was of: an audit tells of it. */
function recordsOf(items: readonly Item[], holds: ReadonlyMap<string, Item>): ToldRecord[] {
  const told = items.filter(({ id, hold }) => !isRelease(id) || holds.has(String(hold)));
  return told.map((item) => {
    const hold = holds.get(String(item.hold));
    const event = readable(() => toldBy(item, hold && toHold(hold)));
    return { id: String(item.id ?? item.pk), event };
  });
}

const isRelease = (id: unknown) => String(id).startsWith('rel_');

/**
 * What a record of the journal tells, as an event with the entries of the one that told of it
 * first. A capture, and a release, needs the hold that it belongs to. Throws for any other item,
 * and for one that has no event.
 */
export function toldBy(item: Item, hold: Hold | undefined): OutboxEvent {
  const id = String(item.id);
  if (id.startsWith('hld_')) return holdCreated(toHold(item), {});
  if (id.startsWith('txn_')) {
    const transaction = toTransaction(item);
    return hold ? holdCaptured(hold, transaction) : transactionPosted(transaction);
  }
  if (!hold) throw new Error(`${id} belongs to no hold`);
  return holdReleased(hold, toRelease(item), {});
}
