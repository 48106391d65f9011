import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { type Account, assertLimited, availableOf, balanceOf } from './account.ts';
import { behind } from './read-statement.ts';
import { type StandingLine, statementOf } from './statement.ts';
import { findLineAt, findLineFrom } from './statement-list.store.ts';

/** What an account had at an instant. */
export interface BalanceAt {
  readonly balance: bigint;
  readonly available: bigint;
  readonly held: bigint;
  /** The account's seq then. */
  readonly version: number;
}

/**
 * The balance of a limited account after all that is committed and dated up to and at `atMs`: the
 * line that it is read from and the next one are neighbours, else it is refused with `busy`.
 * Refused with `not_available` for a derived account and for the future, and with `not_found`
 * before the account was made. Before the last entry of `account` it is final. After that a posting
 * may be under way that bears the time of its decision: two seconds before its commit at the most,
 * or as long as its server stands still, which Lambda ends after a minute. 2 RRU, and none where
 * `atMs` is not before the last entry.
 */
export async function findBalanceAt(
  { clock, db }: Pick<World, 'clock' | 'db'>,
  account: Account,
  atMs: number,
): Promise<BalanceAt> {
  assertLimited(account, 'balance at a time');
  if (atMs > Math.max(clock.nowMs(), account.lastLegMs)) {
    throw new Problem('not_available', { detail: 'There is no balance of the future yet.' });
  }
  if (atMs < account.createdAtMs) {
    throw new Problem('not_found', { detail: 'There was no such account at that time.' });
  }
  if (atMs >= account.lastLegMs) return balanceNow(account);
  const statement = statementOf(account);
  const [line, next] = await Promise.all([
    findLineAt(db, statement, atMs),
    findLineFrom(db, statement, atMs + 1),
  ]);
  const nextSeq = next?.standing.seq ?? account.seq;
  if (nextSeq !== (line?.standing.seq ?? 0) + 1) throw behind();
  return line ? balanceAfter(line, account) : balanceAtFirst(account);
}

function balanceNow(account: Account): BalanceAt {
  return {
    balance: balanceOf(account),
    available: availableOf(account),
    held: account.held,
    version: account.seq,
  };
}

/** The limits of an account are those of its creation, so what was held follows. */
function balanceAfter({ standing }: StandingLine, { minBalance }: Account): BalanceAt {
  const { balanceAfter: balance, availableAfter: available, seq } = standing;
  return { balance, available, held: balance - available - (minBalance ?? 0n), version: seq };
}

function balanceAtFirst({ minBalance }: Account): BalanceAt {
  return { balance: 0n, available: -(minBalance ?? 0n), held: 0n, version: 0 };
}
