import { insertEvent } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import {
  type Account,
  availableOf,
  balanceOf,
  type Leg,
  moveAccount,
  openAccount,
  WORLD,
} from '../../functions/ledger/account.ts';
import type { StreamRecord } from '../../functions/shared/aws/stream.ts';
import type { Ids } from '../../functions/shared/world.ts';

/** One thing that happens, `afterMs` milliseconds after the one before. */
export interface Step {
  readonly afterMs: number;
  readonly amount: bigint;
  /** Whose money moves, by place in the list of accounts; equal: it is set aside on a hold. */
  readonly from: number;
  readonly to: number;
}

/** What a limited account had after one of its entries. */
export interface Moment {
  readonly atMs: number;
  readonly balance: bigint;
  readonly available: bigint;
  readonly held: bigint;
  readonly version: number;
}

/** A ledger's past, made without a ledger: its events, and what they add up to. */
export interface History {
  readonly events: readonly OutboxEvent[];
  /** The limited accounts as they are in the end. */
  readonly accounts: readonly Account[];
  /** By account, the oldest first. */
  readonly moments: ReadonlyMap<string, readonly Moment[]>;
  /** Sums of what the others got: a derived account, and `@world`. */
  readonly derived: { readonly fees: bigint; readonly world: bigint };
  readonly feesId: string;
}

interface Making {
  readonly tenantId: string;
  readonly ids: Ids;
  readonly accounts: Account[];
  readonly feesId: string;
}

/** Places of the two that have no stored balance; the limited ones come before. */
export const FEES = 2;
export const THE_WORLD = 3;

/** Two limited accounts, a derived one and `@world`, and what the steps do with them. */
export function historyOf(
  { tenantId, ids, startMs }: { tenantId: string; ids: Ids; startMs: number },
  steps: readonly Step[],
): History {
  const terms = { tenantId, currency: 'EUR', mode: 'limited', maxBalance: null } as const;
  const accounts = [0n, -5_000n].map((minBalance) =>
    openAccount({ ...terms, id: ids.next('acc'), minBalance }, startMs),
  );
  const making = { tenantId, ids, accounts, feesId: ids.next('acc') };
  const moments = new Map(accounts.map((it) => [it.id as string, [] as Moment[]]));
  const events: OutboxEvent[] = [];
  const derived = { fees: 0n, world: 0n };
  let atMs = startMs;
  for (const step of steps) {
    atMs += step.afterMs;
    const { event, legs } = happen(making, step, atMs);
    if (event) events.push(event);
    for (const { accountId, amount } of legs) {
      if (accountId === making.feesId) derived.fees += amount;
      if (accountId === WORLD) derived.world += amount;
      const account = accounts.find((it) => it.id === accountId);
      if (account) moments.get(accountId)?.push(momentOf(account, atMs));
    }
  }
  return { events, accounts, moments, derived, feesId: making.feesId };
}

function momentOf(account: Account, atMs: number): Moment {
  return {
    atMs,
    balance: balanceOf(account),
    available: availableOf(account),
    held: account.held,
    version: account.seq,
  };
}

function happen(
  making: Making,
  { from, to, amount }: Step,
  atMs: number,
): { event?: OutboxEvent; legs: readonly Leg[] } {
  if (from === to && from >= FEES) return { legs: [] };
  const isHold = from === to;
  const id = making.ids.next(isHold ? 'hld' : 'txn');
  const moves = isHold
    ? [{ place: from, amount: 0n, held: amount }]
    : [
        { place: from, amount: -amount },
        { place: to, amount },
      ];
  const legs = moves.map(({ place, ...movement }) => {
    const account = making.accounts[place];
    const accountId = place === FEES ? making.feesId : WORLD;
    if (!account) return { accountId, currency: 'EUR', amount: movement.amount };
    const moved = moveAccount(account, movement, { sourceId: id, atMs });
    making.accounts[place] = moved.account;
    return moved.leg;
  });
  const event = isHold
    ? ledgerEvent(making, { type: 'hold.created', atMs, legs, data: { id } })
    : ledgerEvent(making, {
        type: 'transaction.posted',
        atMs,
        legs,
        data: { id, type: 'transfer', reference: `order ${amount}` },
      });
  return { event, legs };
}

/** An event of the ledger as it lies in the outbox. */
export function ledgerEvent(
  { tenantId, ids }: { readonly tenantId: string; readonly ids: Ids },
  about: {
    readonly type: string;
    readonly atMs: number;
    readonly legs: readonly Leg[];
    readonly data: Readonly<Record<string, unknown>>;
  },
): OutboxEvent {
  const entries = about.legs.map((leg) => ({
    accountId: leg.accountId,
    currency: leg.currency,
    amount: String(leg.amount),
    seq: leg.seq,
    balanceAfter: leg.balanceAfter?.toString(),
    availableAfter: leg.availableAfter?.toString(),
    hash: leg.hash,
  }));
  return {
    id: ids.next('evt'),
    tenantId,
    type: about.type,
    occurredAtMs: about.atMs,
    data: JSON.stringify({ ...about.data, entries }),
  };
}

/** The events as the stream hands them over. */
export function recordsOf(events: readonly OutboxEvent[]): StreamRecord[] {
  return events.map((event, index) => {
    const write = insertEvent(event);
    if (write.kind !== 'put') throw new Error('an event is put');
    return { sequenceNumber: String(index), item: JSON.parse(JSON.stringify(write.item)) };
  });
}
