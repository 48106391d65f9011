import * as z from 'zod';
import { known } from '../shared/form.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import {
  ACCOUNT_STATUSES,
  type Account,
  type AccountDetails,
  type AccountStatus,
  availableOf,
  balanceOf,
  roomOf,
} from './account.ts';

/** Minor units in a stored item: a number where that is exact, else already a bigint. */
export const StoredMinor = z.union([z.int(), z.bigint()]).transform((it) => BigInt(it));

const AccountItem = z.object({
  id: z.templateLiteral(['acc_', z.string()]),
  tenant: z.string(),
  ccy: z.string(),
  mode: z.enum(['limited', 'derived']).default('limited'),
  cr: StoredMinor,
  dr: StoredMinor,
  held: StoredMinor,
  min: StoredMinor.nullable(),
  max: StoredMinor.nullable().default(null),
  seq: z.int(),
  lts: z.int(),
  hash: z.string(),
  status: z.enum(ACCOUNT_STATUSES),
  createdAt: z.int(),
});

const DetailsItem = z.object({
  name: z.string().optional(),
  externalId: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  fp: z.string().optional(),
  rev: z.int().default(0),
});

/** Where an account's balance lies; its details lie beside it under `M`. */
export function accountKey(tenantId: string, accountId: string): Key {
  return { pk: `${tenantId}#${accountId}`, sk: '#' };
}

/**
 * The account, its details and the claim on its external id. Refused when the id is taken (a
 * creation with the same Idempotency-Key: first write) or the external id is (last write).
 */
export function insertAccount(account: Account, details: AccountDetails): Write[] {
  const key = accountKey(account.tenantId, account.id);
  const put = (item: Key & Item): Write => ({
    kind: 'put',
    table: 'ledger',
    condition: 'attribute_not_exists(pk)',
    item,
  });
  const writes = [
    put({ ...key, ...toAccountItem(account) }),
    put({
      pk: key.pk,
      sk: 'M',
      v: 1,
      ...toDetailsItem(details),
      ...statusListing(account, account.status),
    }),
  ];
  if (details.externalId === undefined) return writes;
  const marker = externalIdKey(account.tenantId, details.externalId);
  return [...writes, put({ ...marker, v: 1, account: account.id })];
}

/** Where the claim on an external id lies. */
export function externalIdKey(tenantId: string, externalId: string): Key {
  return { pk: `${tenantId}#X#${externalId}`, sk: '#' };
}

function toAccountItem(account: Account): Item {
  return {
    v: 1,
    id: account.id,
    tenant: account.tenantId,
    ccy: account.currency,
    mode: account.mode,
    cr: account.credits,
    dr: account.debits,
    held: account.held,
    avail: availableOf(account),
    min: account.minBalance,
    max: account.maxBalance ?? undefined,
    room: roomOf(account) ?? undefined,
    seq: account.seq,
    lts: account.lastLegMs,
    hash: account.hash,
    status: account.status,
    createdAt: account.createdAtMs,
    listingPk: listingOf(account.tenantId),
    listingSk: `${sortableMs(account.createdAtMs)}#${account.id}`,
  };
}

/** The partition of the index `listing` with a tenant's accounts: all, or those of one status. */
export function listingOf(tenantId: string, status?: AccountStatus): string {
  return status === undefined ? `${tenantId}#A` : `${tenantId}#A#${status}`;
}

/** Lies on the details, because no posting rewrites them. */
function statusListing({ tenantId, id, createdAtMs }: Account, status: AccountStatus): Item {
  return {
    listingPk: listingOf(tenantId, status),
    listingSk: `${sortableMs(createdAtMs)}#${id}`,
  };
}

/**
 * Turns the stored account from `before` into `after`. Refused when it was touched since it was
 * read, is not active (unless `evenIf` says otherwise), has not the money, or not the room: the
 * conditions stand even if the code that decided was wrong.
 */
export function saveMovement(
  before: Account,
  after: Account,
  { inAnyStatus = false }: { readonly inAnyStatus?: boolean } = {},
): Write {
  const taken = availableOf(before) - availableOf(after);
  const brought = balanceOf(after) - balanceOf(before);
  const isCovered = before.minBalance !== null && taken > 0n;
  const hasCeiling = before.maxBalance !== null;
  const conditions = [
    'seq = :seq AND ccy = :ccy',
    ...(inAnyStatus ? [] : ['#status = :active']),
    ...(isCovered ? ['avail >= :taken'] : []),
    ...(hasCeiling && brought > 0n ? ['room >= :brought'] : []),
  ];
  return {
    kind: 'update',
    table: 'ledger',
    key: accountKey(before.tenantId, before.id),
    update: `SET cr = cr + :cr, dr = dr + :dr, held = held + :held, avail = avail - :taken, \
seq = seq + :steps, lts = :at, #hash = :hash${hasCeiling ? ', room = room - :brought' : ''}`,
    condition: conditions.join(' AND '),
    names: { '#hash': 'hash', ...(!inAnyStatus && { '#status': 'status' }) },
    values: {
      ':cr': after.credits - before.credits,
      ':dr': after.debits - before.debits,
      ':held': after.held - before.held,
      ':taken': taken,
      ...(hasCeiling && { ':brought': brought }),
      ':seq': before.seq,
      ':steps': after.seq - before.seq,
      ':at': after.lastLegMs,
      ':hash': after.hash,
      ':ccy': before.currency,
      ...(!inAnyStatus && { ':active': 'active' }),
    },
  };
}

/** Refused when the account was touched since it was read. */
export function checkUntouched({ tenantId, id, seq }: Account): Write {
  return {
    kind: 'check',
    table: 'ledger',
    key: accountKey(tenantId, id),
    condition: 'seq = :seq',
    values: { ':seq': seq },
  };
}

/**
 * Writes what an account is called, and its status where that changes. Refused when another change
 * came first; a closing one also when the account was touched since it was read, because it has to
 * be empty. A posting is in nobody else's way: an account that is hot can be frozen.
 */
export function saveAccount(before: AccountWithDetails, after: AccountWithDetails): Write[] {
  const { pk, sk } = accountKey(before.account.tenantId, before.account.id);
  const { revision = 0 } = before.details;
  const { status } = after.account;
  const listing = statusListing(after.account, status);
  const setDetails: Write = {
    kind: 'put',
    table: 'ledger',
    item: {
      pk,
      sk: 'M',
      v: 1,
      ...toDetailsItem({ ...after.details, revision: revision + 1 }),
      ...listing,
    },
    condition: 'rev = :rev',
    values: { ':rev': revision },
  };
  if (status === before.account.status) return [setDetails];
  const isClosing = status === 'closed';
  const setStatus: Write = {
    kind: 'update',
    table: 'ledger',
    key: { pk, sk },
    update: 'SET #status = :status',
    condition: `#status = :was${isClosing ? ' AND seq = :seq' : ''}`,
    names: { '#status': 'status' },
    values: {
      ':status': status,
      ':was': before.account.status,
      ...(isClosing && { ':seq': before.account.seq }),
    },
  };
  return [setDetails, setStatus];
}

function toDetailsItem(details: AccountDetails): Item {
  const { name, externalId, metadata, fingerprint, revision } = details;
  return { name, externalId, metadata, fp: fingerprint, rev: revision ?? 0 };
}

/** The account in a stored item. */
export function toAccount(item: Item): Account {
  const stored = AccountItem.parse(known(item));
  return {
    id: stored.id,
    tenantId: stored.tenant,
    currency: stored.ccy,
    mode: stored.mode,
    credits: stored.cr,
    debits: stored.dr,
    held: stored.held,
    minBalance: stored.min,
    maxBalance: stored.max,
    seq: stored.seq,
    lastLegMs: stored.lts,
    hash: stored.hash,
    status: stored.status,
    createdAtMs: stored.createdAt,
  };
}

/** The details in a stored item. */
export function toDetails(item: Item): AccountDetails {
  const { fp, rev, ...details } = DetailsItem.parse(known(item));
  return { ...details, fingerprint: fp, revision: rev };
}

export interface AccountWithDetails {
  readonly account: Account;
  readonly details: AccountDetails;
}

/** Both items of an account by one read. Undefined when the tenant has no such account. */
export async function findAccount(
  db: Pick<Db, 'query'>,
  tenantId: string,
  accountId: string,
): Promise<AccountWithDetails | undefined> {
  const { items } = await db.query({
    table: 'ledger',
    pk: accountKey(tenantId, accountId).pk,
    sk: { from: '#', to: 'M' },
  });
  const balance = items.find((it) => it.sk === '#');
  const details = items.find((it) => it.sk === 'M');
  if (!balance || !details) return undefined;
  return { account: toAccount(balance), details: toDetails(details) };
}

/** The accounts behind the keys of a list, in its order. */
export async function loadAccounts(
  db: Pick<Db, 'getAll'>,
  keys: readonly Item[],
): Promise<AccountWithDetails[]> {
  const both = keys.flatMap(({ pk }) => [
    { table: 'ledger' as const, pk: String(pk), sk: '#' },
    { table: 'ledger' as const, pk: String(pk), sk: 'M' },
  ]);
  const items = await db.getAll(both);
  return keys.flatMap((_key, index) => {
    const balance = items[2 * index];
    const details = items[2 * index + 1];
    return balance && details ? [{ account: toAccount(balance), details: toDetails(details) }] : [];
  });
}

/** Undefined when no account of the tenant has this external id. */
export async function findExternalId(
  db: Pick<Db, 'get'>,
  tenantId: string,
  externalId: string,
): Promise<string | undefined> {
  const marker = await db.get('ledger', externalIdKey(tenantId, externalId));
  return marker && String(marker.account);
}
