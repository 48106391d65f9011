import * as z from 'zod';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { type Account, type AccountDetails, availableOf, type Leg } from './account.ts';

/** Minor units in a stored item: a number where that is exact, else already a bigint. */
export const StoredMinor = z.union([z.int(), z.bigint()]).transform((it) => BigInt(it));

const AccountItem = z.object({
  id: z.templateLiteral(['acc_', z.string()]),
  tenant: z.string(),
  ccy: z.string(),
  cr: StoredMinor,
  dr: StoredMinor,
  held: StoredMinor,
  min: StoredMinor.nullable(),
  seq: z.int(),
  lts: z.int(),
  hash: z.string(),
  status: z.enum(['active', 'frozen', 'closed']),
  createdAt: z.int(),
});

const DetailsItem = z.object({
  name: z.string().optional(),
  externalId: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  fp: z.string().optional(),
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
      name: details.name,
      externalId: details.externalId,
      metadata: details.metadata,
      fp: details.fingerprint,
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
    cr: account.credits,
    dr: account.debits,
    held: account.held,
    avail: availableOf(account),
    min: account.minBalance,
    seq: account.seq,
    lts: account.lastLegMs,
    hash: account.hash,
    status: account.status,
    createdAt: account.createdAtMs,
    listingPk: `${account.tenantId}#A`,
    listingSk: `${sortableMs(account.createdAtMs)}#${account.id}`,
  };
}

/**
 * Moves the balance by one leg. Refused when the account was touched since it was read, is not
 * active, or (for a debit) does not have the money: the condition stands even if the code that
 * decided was wrong.
 */
export function applyLeg(account: Account, leg: Leg, atMs: number): Write {
  const isDebit = leg.amount < 0n;
  const amount = isDebit ? -leg.amount : leg.amount;
  const covered = isDebit && account.minBalance !== null ? ' AND avail >= :amount' : '';
  return {
    kind: 'update',
    table: 'ledger',
    key: accountKey(account.tenantId, account.id),
    update: `SET ${isDebit ? 'dr = dr + :amount' : 'cr = cr + :amount'}, \
avail = avail ${isDebit ? '-' : '+'} :amount, seq = seq + :one, lts = :at, #hash = :hash`,
    condition: `seq = :seq AND #status = :active AND ccy = :ccy${covered}`,
    names: { '#hash': 'hash', '#status': 'status' },
    values: {
      ':amount': amount,
      ':one': 1,
      ':at': atMs,
      ':hash': leg.hash,
      ':seq': account.seq,
      ':active': 'active',
      ':ccy': account.currency,
    },
  };
}

/** The account in a stored item. */
export function toAccount(item: Item): Account {
  const stored = AccountItem.parse(item);
  return {
    id: stored.id,
    tenantId: stored.tenant,
    currency: stored.ccy,
    credits: stored.cr,
    debits: stored.dr,
    held: stored.held,
    minBalance: stored.min,
    seq: stored.seq,
    lastLegMs: stored.lts,
    hash: stored.hash,
    status: stored.status,
    createdAtMs: stored.createdAt,
  };
}

/** The details in a stored item. */
export function toDetails(item: Item): AccountDetails {
  const { fp, ...details } = DetailsItem.parse(item);
  return { ...details, fingerprint: fp };
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
