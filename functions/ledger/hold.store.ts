import * as z from 'zod';
import { known } from '../shared/form.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import { StoredMinor } from './account.store.ts';
import { HOLD_STATUSES, type Hold, type HoldStatus, type Release } from './hold.ts';
import { LegItem, toLeg, toLegItem } from './leg.store.ts';
import { journalKey } from './transaction.store.ts';

const HoldItem = z.object({
  id: z.templateLiteral(['hld_', z.string()]),
  tenant: z.string(),
  acc: z.templateLiteral(['acc_', z.string()]),
  amount: StoredMinor,
  ccy: z.string(),
  destination: z.string().optional(),
  status: z.enum(HOLD_STATUSES),
  ts: z.int(),
  expiresAt: z.int().optional(),
  captured: StoredMinor.optional(),
  transaction: z.templateLiteral(['txn_', z.string()]).optional(),
  release: z.templateLiteral(['rel_', z.string()]).optional(),
  resolvedAt: z.int().optional(),
  description: z.string().optional(),
  reference: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  leg: LegItem,
  event: z.string().optional(),
  fp: z.string().optional(),
  hops: z.int().optional(),
});

const ReleaseItem = z.object({
  id: z.templateLiteral(['rel_', z.string()]),
  tenant: z.string(),
  hold: z.templateLiteral(['hld_', z.string()]),
  status: z.enum(['voided', 'expired']),
  ts: z.int(),
  leg: LegItem,
  event: z.string().optional(),
  fp: z.string().optional(),
});

/** The partition of the index `listing` with a tenant's holds of one status. */
export function holdListing(tenantId: string, status: HoldStatus): string {
  return `${tenantId}#H#${status}`;
}

/** The partition of the index `listing` with a tenant's releases. */
export function releaseListing(tenantId: string): string {
  return `${tenantId}#L`;
}

/** Refused when the id is taken: another request with the same Idempotency-Key was first. */
export function insertHold(hold: Hold, nowMs: number): Write {
  const key = journalKey(hold.tenantId, hold.id);
  const due = hold.expiresAtMs === undefined ? {} : dueAttributes(key, hold.expiresAtMs, nowMs);
  return {
    kind: 'put',
    table: 'ledger',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...key,
      v: 1,
      id: hold.id,
      tenant: hold.tenantId,
      acc: hold.accountId,
      amount: hold.amount,
      ccy: hold.currency,
      destination: hold.destinationId,
      status: hold.status,
      ts: hold.createdAtMs,
      expiresAt: hold.expiresAtMs,
      description: hold.description,
      reference: hold.reference,
      metadata: hold.metadata,
      leg: toLegItem(hold.leg),
      event: hold.eventId,
      fp: hold.fingerprint,
      hops: hold.hops || undefined,
      listingPk: holdListing(hold.tenantId, hold.status),
      listingSk: `${sortableMs(hold.createdAtMs)}#${hold.id}`,
      ...due,
    },
  };
}

/** Refused when the hold is not pending any more: it is resolved once. */
export function saveResolution(hold: Hold): Write {
  const isCaptured = hold.status === 'captured';
  const end = isCaptured
    ? 'captured = :captured, #transaction = :transaction, destination = :to'
    : '#release = :release';
  return {
    kind: 'update',
    table: 'ledger',
    key: journalKey(hold.tenantId, hold.id),
    update: `SET #status = :status, resolvedAt = :at, listingPk = :listing, ${end} \
REMOVE duePk, dueSk`,
    condition: '#status = :pending',
    names: {
      '#status': 'status',
      ...(isCaptured ? { '#transaction': 'transaction' } : { '#release': 'release' }),
    },
    values: {
      ':status': hold.status,
      ':pending': 'pending',
      ':at': hold.resolvedAtMs,
      ':listing': holdListing(hold.tenantId, hold.status),
      ...(isCaptured
        ? {
            ':captured': hold.capturedAmount,
            ':transaction': hold.transactionId,
            ':to': hold.destinationId,
          }
        : { ':release': hold.releaseId }),
    },
  };
}

/** Refused when the id is taken: another request with the same Idempotency-Key was first. */
export function insertRelease(release: Release): Write {
  return {
    kind: 'put',
    table: 'ledger',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...journalKey(release.tenantId, release.id),
      v: 1,
      id: release.id,
      tenant: release.tenantId,
      hold: release.holdId,
      status: release.status,
      ts: release.createdAtMs,
      leg: toLegItem(release.leg),
      event: release.eventId,
      fp: release.fingerprint,
      listingPk: releaseListing(release.tenantId),
      listingSk: `${sortableMs(release.createdAtMs)}#${release.id}`,
    },
  };
}

/** The hold in a stored item. */
export function toHold(item: Item): Hold {
  const stored = HoldItem.parse(known(item));
  return {
    id: stored.id,
    tenantId: stored.tenant,
    accountId: stored.acc,
    amount: stored.amount,
    currency: stored.ccy,
    destinationId: stored.destination,
    status: stored.status,
    createdAtMs: stored.ts,
    expiresAtMs: stored.expiresAt,
    capturedAmount: stored.captured,
    transactionId: stored.transaction,
    releaseId: stored.release,
    resolvedAtMs: stored.resolvedAt,
    description: stored.description,
    reference: stored.reference,
    metadata: stored.metadata,
    leg: toLeg(stored.leg),
    eventId: stored.event,
    fingerprint: stored.fp,
    hops: stored.hops,
  };
}

/** The release in a stored item. */
export function toRelease(item: Item): Release {
  const stored = ReleaseItem.parse(known(item));
  return {
    id: stored.id,
    tenantId: stored.tenant,
    holdId: stored.hold,
    status: stored.status,
    createdAtMs: stored.ts,
    leg: toLeg(stored.leg),
    eventId: stored.event,
    fingerprint: stored.fp,
  };
}

/** Undefined when the tenant has no such hold. */
export async function findHold(
  db: Pick<Db, 'get'>,
  tenantId: string,
  holdId: string,
): Promise<Hold | undefined> {
  const item = await db.get('ledger', journalKey(tenantId, holdId));
  return item?.id === holdId ? toHold(item) : undefined;
}

/** The hold as it is now, if it was read before what may have ended it. */
export async function findResolved(db: Pick<Db, 'get'>, hold: Hold): Promise<Hold> {
  if (hold.status !== 'pending') return hold;
  return (await findHold(db, hold.tenantId, hold.id)) ?? hold;
}

/** The hold as what has ended it left it. Undefined while that does not show. */
export async function findEnded(db: Pick<Db, 'get'>, hold: Hold): Promise<Hold | undefined> {
  const now = await findResolved(db, hold);
  return now.status === 'pending' ? undefined : now;
}

/** The holds behind the keys of a list, in its order. */
export async function loadHolds(db: Pick<Db, 'getAll'>, keys: readonly Item[]): Promise<Hold[]> {
  const items = await db.getAll(
    keys.map(({ pk }) => ({ table: 'ledger', pk: String(pk), sk: '#' })),
  );
  return items.flatMap((it) => (it ? [toHold(it)] : []));
}
