import type { OutboxEvent } from '../events/event.ts';
import { toInstant } from '../shared/wire.ts';
import type { Transaction } from './transaction.ts';

/** The transaction as the API shows it. */
export function transactionView(transaction: Transaction) {
  return {
    id: transaction.id,
    object: 'transaction' as const,
    type: transaction.type,
    status: transaction.status,
    amount: String(transaction.amount),
    currency: transaction.currency,
    entries: transaction.legs.map((leg) => ({
      accountId: leg.accountId,
      amount: String(leg.amount),
      seq: leg.seq,
      balanceAfter: leg.balanceAfter?.toString(),
    })),
    description: transaction.description,
    reference: transaction.reference,
    metadata: transaction.metadata,
    problem: transaction.refusal,
    createdAt: toInstant(transaction.createdAtMs),
  };
}

/**
 * The event `transaction.posted`. Its entries carry the accounts' chain hashes besides, so that
 * receivers hold anchors of the history which nobody can rewrite.
 */
export function transactionPosted(transaction: Transaction): OutboxEvent {
  const { entries, problem: _none, ...view } = transactionView(transaction);
  const anchored = entries.map((entry, index) => ({
    ...entry,
    hash: transaction.legs[index]?.hash,
  }));
  if (!transaction.eventId) throw new Error('a posted transaction has an event');
  return {
    id: transaction.eventId as OutboxEvent['id'],
    tenantId: transaction.tenantId,
    type: 'transaction.posted',
    occurredAtMs: transaction.createdAtMs,
    data: JSON.stringify({ ...view, entries: anchored }),
    traceparent: transaction.traceparent,
  };
}
