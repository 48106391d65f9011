import type { Leg } from '../ledger/account.ts';
import type { Hold, Release } from '../ledger/hold.ts';
import type { Transaction } from '../ledger/transaction.ts';
import type { Item } from '../shared/world.ts';

/** A record of the journal. A capture, and a release, comes with its hold if there is one. */
export type JournalRecord =
  | {
      readonly kind: 'transaction';
      readonly transaction: Transaction;
      readonly hold?: Hold | undefined;
    }
  | { readonly kind: 'hold'; readonly hold: Hold }
  | { readonly kind: 'release'; readonly release: Release; readonly hold?: Hold | undefined };

/** A record that a line of a statement names. */
export type LineRecord = JournalRecord & {
  /** What no list has, the rest of the audit does not see. */
  readonly isListed: boolean;
};

/** A record as it was found. */
export interface FoundRecord {
  readonly item: Item;
  readonly record: JournalRecord;
}

/** What all records have. */
export interface RecordFacts {
  readonly id: string;
  readonly tenantId: string;
  /** What the hash chain of an account calls it. */
  readonly sourceId: string;
  readonly createdAtMs: number;
  readonly eventId?: string | undefined;
  readonly legs: readonly Leg[];
}

/** The same of each kind. What was rejected has no legs, whatever its item says. */
export function factsOf(record: JournalRecord): RecordFacts {
  if (record.kind === 'release') {
    const { release } = record;
    return { ...release, sourceId: release.holdId, legs: [release.leg] };
  }
  if (record.kind === 'hold') {
    return { ...record.hold, sourceId: record.hold.id, legs: [record.hold.leg] };
  }
  const { transaction } = record;
  const legs = transaction.status === 'posted' ? transaction.legs : [];
  return { ...transaction, sourceId: transaction.id, legs };
}

/** What a record does to the money that is held on an account. */
export function heldChangeOf(record: JournalRecord, accountId: string): bigint {
  const { hold } = record;
  if (!hold || hold.accountId !== accountId) return 0n;
  return record.kind === 'hold' ? hold.amount : -hold.amount;
}
