import * as z from 'zod';
import { known } from '../shared/form.ts';
import { idPart, shardOf } from '../shared/ids/derive.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { StoredMinor } from './account.store.ts';
import { LegItem, toLeg, toLegItem } from './leg.store.ts';
import { STORED_REFUSALS, TRANSACTION_TYPES, type Transaction } from './transaction.ts';

/** Ids derived from keys are not in time order, so the journal is listed by time in four parts. */
export const JOURNAL_SHARDS = 4;

type Status = Transaction['status'];

const PostingItem = z.object({
  src: z.string(),
  dst: z.string(),
  amount: StoredMinor,
  ccy: z.string(),
});

const RefusalItem = z.object({
  code: z.enum(STORED_REFUSALS),
  detail: z.string(),
  errors: z
    .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
    .optional(),
});

const TransactionItem = z.object({
  id: z.templateLiteral(['txn_', z.string()]),
  tenant: z.string(),
  type: z.enum(TRANSACTION_TYPES),
  status: z.enum(['posted', 'rejected']),
  ts: z.int(),
  postings: z.array(PostingItem),
  legs: z.array(LegItem),
  event: z.string().optional(),
  refusal: RefusalItem.optional(),
  description: z.string().optional(),
  reference: z.string().optional(),
  effectiveAt: z.int().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  reverses: z.templateLiteral(['txn_', z.string()]).optional(),
  hold: z.templateLiteral(['hld_', z.string()]).optional(),
  batch: z.array(z.string()).optional(),
  fp: z.string().optional(),
});

/** One place for everything that a money key may create, whatever its prefix. */
export function journalKey(tenantId: string, id: string): Key {
  return { pk: `${tenantId}#${idPart(id)}`, sk: '#' };
}

/** A partition of the index `listing` with a tenant's posted or rejected transactions. */
export function journalListing(tenantId: string, status: Status, shard: number): string {
  return `${tenantId}#${status === 'posted' ? 'J' : 'R'}#${shard}`;
}

/** The partition of the index `reference` with what has this reference. */
export function referenceListing(tenantId: string, status: Status, reference: string): string {
  return `${tenantId}#${status === 'posted' ? 'J' : 'R'}#${reference}`;
}

/** Refused when the id is taken: another request with the same Idempotency-Key was first. */
export function insertTransaction(transaction: Transaction): Write {
  const { id, tenantId, status, reference } = transaction;
  const place = `${sortableMs(transaction.createdAtMs)}#${id}`;
  return {
    kind: 'put',
    table: 'ledger',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...journalKey(tenantId, id),
      v: 1,
      id,
      tenant: tenantId,
      type: transaction.type,
      status,
      ts: transaction.createdAtMs,
      postings: transaction.postings.map((it) => ({
        src: it.sourceId,
        dst: it.destinationId,
        amount: it.amount,
        ccy: it.currency,
      })),
      legs: transaction.legs.map(toLegItem),
      event: transaction.eventId,
      refusal: transaction.refusal,
      description: transaction.description,
      reference,
      effectiveAt: transaction.effectiveAtMs,
      metadata: transaction.metadata,
      reverses: transaction.reverses,
      hold: transaction.holdId,
      batch: transaction.batch,
      fp: transaction.fingerprint,
      listingPk: journalListing(tenantId, status, shardOf(id, JOURNAL_SHARDS)),
      listingSk: place,
      ...(reference !== undefined && {
        referencePk: referenceListing(tenantId, status, reference),
        referenceSk: place,
      }),
    },
  };
}

/** Beside its transaction: its being there says that the transaction was taken back. */
export function reversalKey(tenantId: string, id: string): Key {
  return { ...journalKey(tenantId, id), sk: 'V' };
}

/** Refused when the transaction has a reversal already. */
export function insertReversal(tenantId: string, reversedId: string, reversalId: string): Write {
  return {
    kind: 'put',
    table: 'ledger',
    condition: 'attribute_not_exists(pk)',
    item: { ...reversalKey(tenantId, reversedId), v: 1, reversal: reversalId },
  };
}

/** The transaction in a stored item. */
export function toTransaction(item: Item): Transaction {
  const stored = TransactionItem.parse(known(item));
  return {
    id: stored.id,
    tenantId: stored.tenant,
    type: stored.type,
    status: stored.status,
    createdAtMs: stored.ts,
    postings: stored.postings.map((it) => ({
      sourceId: it.src,
      destinationId: it.dst,
      amount: it.amount,
      currency: it.ccy,
    })),
    legs: stored.legs.map(toLeg),
    eventId: stored.event,
    refusal: stored.refusal,
    description: stored.description,
    reference: stored.reference,
    effectiveAtMs: stored.effectiveAt,
    metadata: stored.metadata,
    reverses: stored.reverses,
    holdId: stored.hold,
    batch: stored.batch,
    fingerprint: stored.fp,
  };
}

/** A transaction, and the one that took it back if any. */
export interface FoundTransaction {
  readonly transaction: Transaction;
  readonly reversedBy?: Transaction['id'] | undefined;
}

const MarkerItem = z.object({ reversal: z.templateLiteral(['txn_', z.string()]) });

/** Both by one read. Undefined when the tenant has no such transaction. */
export async function findTransaction(
  db: Pick<Db, 'query'>,
  tenantId: string,
  id: string,
): Promise<FoundTransaction | undefined> {
  const { pk } = journalKey(tenantId, id);
  const { items } = await db.query({ table: 'ledger', pk });
  return toFound(
    items.find((it) => it.sk === '#' && it.id === id),
    items.find((it) => it.sk === 'V'),
  );
}

/** The transaction that took this one back. Undefined when none did. 1 RRU. */
export async function findReversedBy(
  db: Pick<Db, 'get'>,
  tenantId: string,
  id: string,
): Promise<Transaction['id'] | undefined> {
  const marker = await db.get('ledger', reversalKey(tenantId, id));
  return marker && MarkerItem.parse(marker).reversal;
}

/** Those of these ids that there are, in their order. */
export async function loadTransactions(
  db: Pick<Db, 'getAll'>,
  tenantId: string,
  ids: readonly string[],
): Promise<FoundTransaction[]> {
  const keys = ids.flatMap((id) => [
    { table: 'ledger' as const, ...journalKey(tenantId, id) },
    { table: 'ledger' as const, ...reversalKey(tenantId, id) },
  ]);
  const items = await db.getAll(keys);
  return ids.flatMap((_id, index) => toFound(items[2 * index], items[2 * index + 1]) ?? []);
}

function toFound(item: Item | undefined, marker: Item | undefined): FoundTransaction | undefined {
  if (!item) return undefined;
  const reversedBy = marker && MarkerItem.parse(marker).reversal;
  return { transaction: toTransaction(item), reversedBy };
}
