import type { OutboxEvent } from '../events/event.ts';
import { KIB } from '../shared/units.ts';
import { toInstant } from '../shared/wire.ts';
import type { Leg } from './account.ts';
import type { Posting, Transaction } from './transaction.ts';

/** The transaction as the API shows it; `reversedBy` is the one that took it back. */
export function transactionView(transaction: Transaction, reversedBy?: Transaction['id']) {
  const [only] = transaction.postings;
  const isSingle = only && transaction.postings.length === 1;
  return {
    id: transaction.id,
    object: 'transaction' as const,
    type: transaction.type,
    status: transaction.status,
    ...(isSingle && { amount: String(only.amount), currency: only.currency }),
    postings: transaction.postings.map(postingView),
    entries: transaction.legs.map(entryView),
    description: transaction.description,
    reference: transaction.reference,
    effectiveAt: optionalInstant(transaction.effectiveAtMs),
    metadata: transaction.metadata,
    reverses: transaction.reverses,
    reversedBy,
    holdId: transaction.holdId,
    problem: transaction.refusal && {
      ...transaction.refusal,
      errors: transaction.refusal.errors?.map((it) => ({ ...it })),
    },
    createdAt: toInstant(transaction.createdAtMs),
  };
}

function postingView({ sourceId, destinationId, amount, currency }: Posting) {
  return {
    sourceAccountId: sourceId,
    destinationAccountId: destinationId,
    amount: String(amount),
    currency,
  };
}

/** One account's share; what only a stored balance has is absent for others. */
function entryView({ accountId, currency, amount, ...leg }: Leg) {
  return {
    accountId,
    currency,
    amount: String(amount),
    seq: leg.seq,
    balanceAfter: leg.balanceAfter?.toString(),
    availableAfter: leg.availableAfter?.toString(),
  };
}

/** A time that need not be there, as text. */
export function optionalInstant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toInstant(ms);
}

/**
 * The entries of an event. They carry the accounts' chain hashes besides, so that receivers hold
 * anchors of the history which nobody can rewrite.
 */
export function anchoredEntries(legs: readonly Leg[]) {
  return legs.map((leg) => ({
    ...entryView(leg),
    heldAfter: leg.heldAfter?.toString(),
    hash: leg.hash,
  }));
}

/** What the data of an event may have. */
const EVENT_BYTES_MAX = 64 * KIB;

/**
 * The event `transaction.posted`. A single posting is in its entries already: without it most
 * events stay below 1 KB, for which a write unit is charged. Where all of them would be too much,
 * the entries alone say what has moved.
 */
export function transactionPosted(transaction: Transaction): OutboxEvent {
  const { postings, ...view } = transactionView(transaction);
  const data = { ...view, entries: anchoredEntries(transaction.legs) };
  const whole = JSON.stringify(postings.length > 1 ? { ...data, postings } : data);
  const fits = Buffer.byteLength(whole) <= EVENT_BYTES_MAX;
  return {
    id: eventIdOf(transaction),
    tenantId: transaction.tenantId,
    type: 'transaction.posted',
    occurredAtMs: transaction.createdAtMs,
    data: fits ? whole : JSON.stringify(data),
    traceparent: transaction.traceparent,
    hops: transaction.hops,
  };
}

/** The id of the event that is committed with an entry of the journal. */
export function eventIdOf({ eventId }: { readonly eventId?: string | undefined }) {
  if (!eventId) throw new Error('what is posted has an event');
  return eventId as OutboxEvent['id'];
}
