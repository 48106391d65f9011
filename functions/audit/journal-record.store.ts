import { accountKey } from '../ledger/account.store.ts';
import { holdListing, releaseListing, toHold, toRelease } from '../ledger/hold.store.ts';
import { HOLD_STATUSES, type Hold, type Release } from '../ledger/hold.ts';
import {
  JOURNAL_SHARDS,
  journalKey,
  journalListing,
  reversalKey,
  toTransaction,
} from '../ledger/transaction.store.ts';
import type { Transaction } from '../ledger/transaction.ts';
import { readable } from '../shared/form.ts';
import type { Db, Item } from '../shared/world.ts';

type Reads = Pick<Db, 'getAll'>;

/** The lists of the journal. A hold that is resolved moves on to one that is read later. */
export function journalLists(tenantId: string): string[] {
  const shards = Array.from({ length: JOURNAL_SHARDS }, (_, shard) => shard);
  return [
    ...shards.map((shard) => journalListing(tenantId, 'posted', shard)),
    releaseListing(tenantId),
    ...HOLD_STATUSES.map((status) => holdListing(tenantId, status)),
  ];
}

/** Records of the journal by id: those that are there and can be read. */
export class Records {
  readonly #items: ReadonlyMap<string, Item>;

  constructor(items: readonly (Item | undefined)[]) {
    this.#items = new Map(items.flatMap((it) => (it ? [[String(it.id), it] as const] : [])));
  }

  transaction(id: string | undefined): Transaction | undefined {
    return this.#read(id, 'txn_', toTransaction);
  }

  hold(id: string | undefined): Hold | undefined {
    return this.#read(id, 'hld_', toHold);
  }

  release(id: string | undefined): Release | undefined {
    return this.#read(id, 'rel_', toRelease);
  }

  /** Whether the record is there, and cannot be read. */
  isUnreadable(id: string | undefined): boolean {
    if (id === undefined || !this.#items.has(id)) return false;
    return !(this.transaction(id) ?? this.hold(id) ?? this.release(id));
  }

  /** Whether a list of the tenant's journal has the record. */
  isListed(tenantId: string, id: string): boolean {
    const { listingPk, listingSk } = this.#items.get(id) ?? {};
    return (
      journalLists(tenantId).includes(String(listingPk)) && String(listingSk).endsWith(`#${id}`)
    );
  }

  #read<Kind>(id: string | undefined, prefix: string, read: (item: Item) => Kind) {
    const item = id?.startsWith(prefix) ? this.#items.get(id) : undefined;
    return item && readable(() => read(item));
  }
}

/** Reads these records, strongly consistent: one unit each. */
export async function loadRecords(
  db: Reads,
  tenantId: string,
  ids: readonly (string | undefined)[],
): Promise<Records> {
  const wanted = [...new Set(ids)].filter((it) => it !== undefined);
  const keys = wanted.map((id) => ({ table: 'ledger' as const, ...journalKey(tenantId, id) }));
  return new Records(keys.length > 0 ? await db.getAll(keys) : []);
}

/** The reversals that these transactions know of, by their ids. */
export async function loadReversals(
  db: Reads,
  tenantId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const keys = ids.map((id) => ({ table: 'ledger' as const, ...reversalKey(tenantId, id) }));
  const markers = keys.length > 0 ? await db.getAll(keys) : [];
  return new Map(
    ids.flatMap((id, index) => {
      const marker = markers[index];
      return marker ? [[id, String(marker.reversal)] as const] : [];
    }),
  );
}

/** The items behind the keys of a list, in its order, as they are now. */
export async function loadListed(
  db: Reads,
  keys: readonly Item[],
): Promise<readonly (Item | undefined)[]> {
  if (keys.length === 0) return [];
  return db.getAll(keys.map(({ pk, sk }) => ({ table: 'ledger', pk: String(pk), sk: String(sk) })));
}

/** Where the record with this id lies. */
export function recordPk(tenantId: string, id: string): string {
  return journalKey(tenantId, id).pk;
}

/** A stored account without the keys of its indexes. */
export async function findStored(
  db: Pick<Db, 'get'>,
  tenantId: string,
  accountId: string,
): Promise<Item | undefined> {
  return db.get('ledger', accountKey(tenantId, accountId));
}
