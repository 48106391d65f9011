import { type Account, WORLD } from './account.ts';

/** Whose statement it is. */
export interface StatementName {
  readonly tenantId: string;
  /** An account, or `@world`. */
  readonly accountId: string;
  /** `@world` has one statement per currency; any other account has its own. */
  readonly currency: string;
}

/** Where a line of a limited account stands in its history. */
export interface Standing {
  /** From 1 without a gap, in the order of time. */
  readonly seq: number;
  readonly balanceAfter: bigint;
  readonly availableAfter: bigint;
}

/** One entry as the statement keeps it. It follows from the journal, and never changes. */
export interface StatementLine extends StatementName {
  /** Time of the commit in milliseconds since 1970; rises strictly within a limited account. */
  readonly atMs: number;
  /** That of the transaction, or `hold`, `capture`, `void`, `expiry`. */
  readonly type: string;
  /** Minor units; positive is a credit. */
  readonly amount: bigint;
  readonly transactionId?: string | undefined;
  readonly holdId?: string | undefined;
  readonly reference?: string | undefined;
  /** Absent for derived accounts and `@world`. */
  readonly standing?: Standing | undefined;
}

/** A line of a limited account. */
export type StandingLine = StatementLine & { readonly standing: Standing };

/** One account's part in a commit of the ledger, as its event tells it. */
export interface Entry {
  readonly accountId: string;
  readonly currency: string;
  readonly amount: bigint;
  readonly standing?: Standing | undefined;
}

/** One commit of the ledger. At most one of its entries is of the same account and currency. */
export interface Movements
  extends Pick<StatementLine, 'tenantId' | 'atMs' | 'type'>,
    Pick<StatementLine, 'transactionId' | 'holdId' | 'reference'> {
  readonly entries: readonly Entry[];
}

/** The lines of a commit, one per entry. */
export function linesOf({ entries, ...common }: Movements): StatementLine[] {
  return entries.map((entry) => ({ ...common, ...entry }));
}

/** Whether it is a line of a limited account. */
export function hasStanding(line: StatementLine): line is StandingLine {
  return line.standing !== undefined;
}

/** What identifies the movement of a line: its transaction, else the hold. */
export function sourceOf({ transactionId, holdId }: StatementLine): string {
  const source = transactionId ?? holdId;
  if (source === undefined) throw new Error('a line of neither a transaction nor a hold');
  return source;
}

/** The statement of an account that is not `@world`. */
export function statementOf({
  tenantId,
  id,
  currency,
}: Pick<Account, 'tenantId' | 'id' | 'currency'>): StatementName {
  return { tenantId, accountId: id, currency };
}

/** The tenant's statement of `@world` in one currency. */
export function statementOfWorld(tenantId: string, currency: string): StatementName {
  return { tenantId, accountId: WORLD, currency };
}

/**
 * Where the lowest gap is in a list of lines, newest first: the index of the line below it, which
 * is the length of the list when the gap is at its end; -1 when there is none. `above` is the seq
 * of the line above the list, where one is known. A list that `isWhole` goes down to the beginning
 * of the account.
 */
export function gapIn(
  lines: readonly StandingLine[],
  { above, isWhole }: { readonly above?: number | undefined; readonly isWhole: boolean },
): number {
  const seqs = lines.map((it) => it.standing.seq);
  // The beginning of each account is a line 0 that nobody needs to store.
  const down = isWhole ? [...seqs, 0] : seqs;
  return down.findLastIndex((seq, index) => {
    const upper = index === 0 ? above : down[index - 1];
    return upper !== undefined && seq !== upper - 1;
  });
}
