import * as z from 'zod';
import { idPart, shardOf } from '../shared/ids/derive.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Item, Key, Write } from '../shared/world.ts';
import { StoredMinor } from './account.store.ts';
import type { Leg } from './account.ts';
import { STORED_REFUSALS, type Transaction } from './transaction.ts';

/** Ids derived from keys are not in time order, so the journal is listed by time in four parts. */
const JOURNAL_SHARDS = 4;

const LegItem = z.object({
  acc: z.string(),
  amount: StoredMinor,
  seq: z.int().optional(),
  bal: StoredMinor.optional(),
  hash: z.string().optional(),
});

const TransactionItem = z.object({
  id: z.templateLiteral(['txn_', z.string()]),
  tenant: z.string(),
  type: z.enum(['credit', 'debit', 'transfer']),
  status: z.enum(['posted', 'rejected']),
  ts: z.int(),
  source: z.string(),
  destination: z.string(),
  amount: StoredMinor,
  ccy: z.string(),
  legs: z.array(LegItem),
  event: z.string().optional(),
  refusal: z.object({ code: z.enum(STORED_REFUSALS), detail: z.string() }).optional(),
  description: z.string().optional(),
  reference: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  fp: z.string().optional(),
});

/** One place for everything that a money key may create, whatever its prefix. */
export function journalKey(tenantId: string, id: string): Key {
  return { pk: `${tenantId}#${idPart(id)}`, sk: '#' };
}

/** Refused when the id is taken: another request with the same Idempotency-Key was first. */
export function insertTransaction(transaction: Transaction): Write {
  const { id, tenantId } = transaction;
  const time = sortableMs(transaction.createdAtMs);
  const reference = transaction.reference && {
    referencePk: `${tenantId}#${transaction.reference}`,
    referenceSk: `${time}#${id}`,
  };
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
      status: transaction.status,
      ts: transaction.createdAtMs,
      source: transaction.sourceId,
      destination: transaction.destinationId,
      amount: transaction.amount,
      ccy: transaction.currency,
      legs: transaction.legs.map(toLegItem),
      event: transaction.eventId,
      refusal: transaction.refusal,
      description: transaction.description,
      reference: transaction.reference,
      metadata: transaction.metadata,
      fp: transaction.fingerprint,
      listingPk: `${tenantId}#J#${shardOf(id, JOURNAL_SHARDS)}`,
      listingSk: `${time}#${id}`,
      ...reference,
    },
  };
}

function toLegItem({ accountId, amount, seq, balanceAfter, hash }: Leg): Item {
  return { acc: accountId, amount, seq, bal: balanceAfter, hash };
}

/** The transaction in a stored item. */
export function toTransaction(item: Item): Transaction {
  const stored = TransactionItem.parse(item);
  return {
    id: stored.id,
    tenantId: stored.tenant,
    type: stored.type,
    status: stored.status,
    createdAtMs: stored.ts,
    sourceId: stored.source,
    destinationId: stored.destination,
    amount: stored.amount,
    currency: stored.ccy,
    legs: stored.legs.map(({ acc, bal, ...leg }) => ({
      ...leg,
      accountId: acc,
      balanceAfter: bal,
    })),
    eventId: stored.event,
    refusal: stored.refusal,
    description: stored.description,
    reference: stored.reference,
    metadata: stored.metadata,
    fingerprint: stored.fp,
  };
}
