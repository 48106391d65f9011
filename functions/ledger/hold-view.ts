import type { Cause, OutboxEvent } from '../events/event.ts';
import { toInstant } from '../shared/wire.ts';
import type { Leg } from './account.ts';
import type { Hold, Release } from './hold.ts';
import type { Transaction } from './transaction.ts';
import {
  anchoredEntries,
  eventIdOf,
  optionalInstant,
  transactionView,
} from './transaction-view.ts';

/** The hold as the API shows it. */
export function holdView(hold: Hold) {
  return {
    id: hold.id,
    object: 'hold' as const,
    accountId: hold.accountId,
    amount: String(hold.amount),
    currency: hold.currency,
    destinationAccountId: hold.destinationId,
    status: hold.status,
    expiresAt: optionalInstant(hold.expiresAtMs),
    capturedAmount: hold.capturedAmount?.toString(),
    transactionId: hold.transactionId,
    resolvedAt: optionalInstant(hold.resolvedAtMs),
    description: hold.description,
    reference: hold.reference,
    metadata: hold.metadata,
    createdAt: toInstant(hold.createdAtMs),
  };
}

/** The event `hold.created`. */
export function holdCreated(hold: Hold, { traceparent }: Pick<Cause, 'traceparent'>): OutboxEvent {
  return eventOf(hold, {
    type: 'hold.created',
    id: eventIdOf(hold),
    occurredAtMs: hold.createdAtMs,
    legs: [hold.leg],
    traceparent,
    hops: hold.hops,
  });
}

/**
 * The event `hold.captured`. The transaction has no other event, so this one says all of it; its
 * entries stand where every event of the ledger has them.
 */
export function holdCaptured(hold: Hold, transaction: Transaction): OutboxEvent {
  const { entries: _above, postings: _oneOnly, ...view } = transactionView(transaction);
  return eventOf(hold, {
    more: { transaction: view },
    type: 'hold.captured',
    id: eventIdOf(transaction),
    occurredAtMs: transaction.createdAtMs,
    legs: transaction.legs,
    ...causeOf(transaction),
  });
}

/** The event `hold.voided` or `hold.expired`. */
export function holdReleased(hold: Hold, release: Release, cause: Cause): OutboxEvent {
  return eventOf(hold, {
    type: `hold.${release.status}`,
    id: eventIdOf(release),
    occurredAtMs: release.createdAtMs,
    legs: [release.leg],
    ...causeOf(cause),
  });
}

function causeOf({ traceparent, hops }: Cause): Cause {
  return { traceparent, hops };
}

interface Facts extends Omit<OutboxEvent, 'tenantId' | 'data'> {
  readonly legs: readonly Leg[];
  readonly more?: object;
}

function eventOf(hold: Hold, { legs, more, ...facts }: Facts): OutboxEvent {
  const data = JSON.stringify({ ...holdView(hold), ...more, entries: anchoredEntries(legs) });
  return { ...facts, tenantId: hold.tenantId, data };
}
