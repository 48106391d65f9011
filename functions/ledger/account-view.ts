import type { Cause, OutboxEvent } from '../events/event.ts';
import { toInstant } from '../shared/wire.ts';
import type { AccountWithDetails } from './account.store.ts';
import { availableOf, balanceOf, WORLD } from './account.ts';

/** What a balance consists of; a derived account has no more than the first. */
export interface ShownBalance {
  readonly balance: bigint;
  readonly available?: bigint;
  readonly held?: bigint;
  readonly version?: number;
}

/** The account as the API shows it, with its balance as it is now unless another one is given. */
export function accountView(
  { account, details }: AccountWithDetails,
  shown: ShownBalance = storedBalance(account),
) {
  return {
    id: account.id,
    object: 'account' as const,
    currency: account.currency,
    name: details.name,
    externalId: details.externalId,
    mode: account.mode,
    balance: String(shown.balance),
    available: shown.available?.toString(),
    held: shown.held?.toString(),
    minBalance: account.minBalance === null ? null : String(account.minBalance),
    maxBalance: account.maxBalance?.toString(),
    version: shown.version,
    status: account.status,
    createdAt: toInstant(account.createdAtMs),
    metadata: details.metadata,
  };
}

/** A derived account stores nothing: that is its balance at its beginning. */
function storedBalance(account: AccountWithDetails['account']): ShownBalance {
  if (account.mode === 'derived') return { balance: 0n };
  return {
    balance: balanceOf(account),
    available: availableOf(account),
    held: account.held,
    version: account.seq,
  };
}

/** `@world` in one currency. */
export function worldView(currency: string, balance: bigint) {
  return {
    id: WORLD as typeof WORLD,
    object: 'account' as const,
    currency,
    mode: 'derived' as const,
    balance: String(balance),
    minBalance: null,
    status: 'active' as const,
  };
}

/** The event `account.created` or `account.updated`. */
export function accountEvent(
  { account, details }: AccountWithDetails,
  facts: Pick<OutboxEvent, 'id' | 'occurredAtMs' | keyof Cause> & {
    readonly type: 'account.created' | 'account.updated';
    /** Of a derived account. */
    readonly shown?: ShownBalance;
  },
): OutboxEvent {
  const { shown, ...event } = facts;
  const data = JSON.stringify(accountView({ account, details }, shown));
  return { ...event, tenantId: account.tenantId, data };
}
