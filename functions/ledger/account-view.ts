import type { OutboxEvent } from '../events/event.ts';
import { toInstant } from '../shared/wire.ts';
import type { AccountWithDetails } from './account.store.ts';
import { availableOf, balanceOf } from './account.ts';

/** The account as the API shows it. */
export function accountView({ account, details }: AccountWithDetails) {
  return {
    id: account.id,
    object: 'account' as const,
    currency: account.currency,
    name: details.name,
    externalId: details.externalId,
    balance: String(balanceOf(account)),
    available: String(availableOf(account)),
    held: String(account.held),
    minBalance: account.minBalance === null ? null : String(account.minBalance),
    version: account.seq,
    status: account.status,
    createdAt: toInstant(account.createdAtMs),
    metadata: details.metadata,
  };
}

/** The event `account.created`. */
export function accountCreated(
  created: AccountWithDetails,
  eventId: OutboxEvent['id'],
  traceparent: string | undefined,
): OutboxEvent {
  return {
    id: eventId,
    tenantId: created.account.tenantId,
    type: 'account.created',
    occurredAtMs: created.account.createdAtMs,
    data: JSON.stringify(accountView(created)),
    traceparent,
  };
}
