import { putLine } from '../../functions/ledger/statement.store.ts';
import type { StatementLine, StatementName } from '../../functions/ledger/statement.ts';
import { insertTransaction } from '../../functions/ledger/transaction.store.ts';
import type { Transaction } from '../../functions/ledger/transaction.ts';
import type { TestWorld } from '../support/world.ts';

/** A line of a derived account, by a number that no other line of it has. */
export function derivedLine(
  statement: StatementName,
  number: number,
  amount: bigint,
): StatementLine {
  return {
    ...statement,
    atMs: 1_000 + number,
    type: 'credit',
    amount,
    transactionId: `txn_${number}`,
  };
}

interface Wanted {
  readonly tenantId: string;
  readonly accountId: string;
  readonly count: number;
}

/**
 * As many transactions as large as one can be, about 45 KB in an answer, as their commits would
 * store them, with the reference `r` and lines on the account's statement. Their ids, oldest first.
 */
export async function storeCopies(world: TestWorld, wanted: Wanted): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < wanted.count; n += 1) {
    world.clock.advance(10);
    const id = world.ids.next('txn');
    const transaction = hugeTransaction(id, { ...wanted, atMs: world.clock.nowMs() });
    const write = insertTransaction(transaction);
    const standing = { seq: n + 2, balanceAfter: 1n, availableAfter: 1n };
    const { tenantId, accountId } = wanted;
    const statement = { tenantId, accountId, currency: 'EUR' };
    const line = { ...statement, atMs: transaction.createdAtMs, type: 'journal', amount: 1n };
    const done = await world.db.commit([write, putLine({ ...line, transactionId: id, standing })]);
    if (!done.ok) throw new Error(JSON.stringify(done));
    ids.push(id);
  }
  return ids;
}

function hugeTransaction(
  id: Transaction['id'],
  { tenantId, accountId, atMs }: Omit<Wanted, 'count'> & { readonly atMs: number },
): Transaction {
  const amount = 10n ** 18n;
  const postings = Array.from({ length: 100 }, () => ({
    ...{ sourceId: '@world', destinationId: accountId, amount, currency: 'EUR' },
  }));
  return {
    ...{ id, tenantId, type: 'journal', status: 'posted', createdAtMs: atMs, postings },
    legs: postings.map((it, n) => ({
      ...{ accountId, currency: it.currency, amount, seq: n + 1 },
      ...{ balanceAfter: amount, heldAfter: 0n, availableAfter: amount },
    })),
    reference: 'r',
    metadata: Object.fromEntries(
      Array.from({ length: 32 }, (_, n) => [`key${n}`, 'x'.repeat(480)]),
    ),
  };
}
