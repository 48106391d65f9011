import { assertSameRequest } from '../shared/http/idempotency.ts';
import { Problem } from '../shared/problem.ts';
import type { Db, Item, Write } from '../shared/world.ts';
import { accountKey, checkUntouched, saveMovement, toAccount } from './account.store.ts';
import { journalKey } from './transaction.store.ts';
import type { Books } from './transaction.ts';

/** What a movement of money has to know. */
export interface Opened {
  /** What an earlier request with the same Idempotency-Key made. The books are empty then. */
  readonly earlier?: Item | undefined;
  readonly books: Books;
}

/** What to read. */
export interface BookTerms {
  readonly recordId: string;
  readonly accountIds: readonly string[];
  /** The refusal where accounts are missing, if it is a special one. */
  readonly refuse?: (missing: readonly string[]) => Problem;
}

/**
 * Reads the record of a money key and these accounts at once, strongly consistent: one unit each.
 * Refuses with `not_found` for an account that the tenant does not have.
 */
export async function openBooks(
  db: Pick<Db, 'getAll'>,
  tenantId: string,
  { recordId, accountIds, refuse = noSuchAccount }: BookTerms,
): Promise<Opened> {
  const keys = [
    journalKey(tenantId, recordId),
    ...accountIds.map((it) => accountKey(tenantId, it)),
  ];
  const [earlier, ...items] = await db.getAll(keys.map((key) => ({ table: 'ledger', ...key })));
  if (earlier) return { earlier, books: new Map() };

  const missing = accountIds.filter((_id, index) => items[index] === undefined);
  if (missing.length > 0) throw refuse(missing);
  const accounts = items.flatMap((item) => (item ? [toAccount(item)] : []));
  return { books: new Map(accounts.map((it) => [it.id, it])) };
}

/** Refuses with `idempotency_key_reused` when the record of the key came from another request. */
export function assertSameRecord(
  earlier: Item,
  request: { readonly fingerprint?: string | undefined },
): void {
  assertSameRequest({ fingerprint: earlier.fp as string | undefined }, request);
}

function noSuchAccount(missing: readonly string[]): Problem {
  return new Problem('not_found', { detail: `There is no account ${missing.join(', ')}.` });
}

/** One write per account that differs between the books. */
export function saveBooks(before: Books, after: Books, terms?: { inAnyStatus: boolean }): Write[] {
  return [...after.values()].flatMap((account) => {
    const was = before.get(account.id);
    return was && was.seq !== account.seq ? [saveMovement(was, account, terms)] : [];
  });
}

/** Holds those accounts still that a decision looked at and did not move. */
export function checkBooks(ids: readonly string[], before: Books, after: Books): Write[] {
  return [...new Set(ids)].flatMap((id) => {
    const account = before.get(id);
    return account && after.get(id)?.seq === account.seq ? [checkUntouched(account)] : [];
  });
}
