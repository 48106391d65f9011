import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import type { Account } from './account.ts';
import { lineKey } from './statement.store.ts';
import {
  gapIn,
  type StandingLine,
  type StatementLine,
  type StatementName,
  statementOf,
} from './statement.ts';
import {
  findLineFrom,
  listShardedLines,
  listStandingLines,
  type Period,
} from './statement-list.store.ts';

type Needs = Pick<World, 'db'>;

/** What of a limited account decides how far its statement must reach. */
export type Stand = Pick<Account, 'id' | 'tenantId' | 'currency' | 'seq' | 'lastLegMs'>;

/** Where a page ended: the key of its last line, and for a limited account, what it promised. */
export interface StatementPosition {
  readonly sk: string;
  readonly seq?: number | undefined;
  readonly upToSeq?: number | undefined;
}

export interface StatementRange extends Period {
  readonly limit: number;
  readonly after?: StatementPosition | undefined;
}

export interface StatementPage {
  readonly lines: readonly StatementLine[];
  /**
   * The pages of this list begin with this seq and leave out none below it; absent for a derived
   * account.
   */
  readonly upToSeq?: number | undefined;
  /** Undefined on the last page. */
  readonly next?: StatementPosition | undefined;
}

/** So often a page is read anew below a gap. Gaps are seconds old, so there are few. */
const ROUNDS_MAX = 10;

/**
 * One page of a limited account's statement, the newest line first and never with a gap: lines
 * above an entry that the projection has not written yet are not shown, and `upToSeq` says so.
 * Where that would tear a hole between two pages, or into a period that is over, it is refused
 * with `busy`.
 */
export async function readStatement(
  { db }: Needs,
  account: Stand,
  { fromMs = 0, toMs, limit, after }: StatementRange,
): Promise<StatementPage> {
  const statement = statementOf(account);
  const above = after?.seq ?? (await seqAbove(db, account, toMs));
  let below: string | undefined = after?.sk;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    // The line below the page tells whether it continues it, and whether it is the next one.
    const found = await listStandingLines(db, statement, { toMs, limit: limit + 1, after: below });
    const isWhole = found.length <= limit;
    const gap = gapIn(found, { above, isWhole });
    if (gap === -1) return pageOf(found, { fromMs, limit, after });
    if (above !== undefined) break;
    if (gap === found.length) return { lines: [], upToSeq: 0 };
    below = keyAbove(found[gap]);
  }
  throw behind();
}

/** The seq of the first line after a period that is over; undefined while it may still grow. */
async function seqAbove(
  db: Needs['db'],
  account: Stand,
  toMs: number | undefined,
): Promise<number | undefined> {
  if (toMs === undefined || account.seq === 0 || toMs > account.lastLegMs) return undefined;
  const next = await findLineFrom(db, statementOf(account), toMs);
  return next?.standing.seq ?? account.seq;
}

/** A key right above a line's own, so that a page behind it begins with the line. */
function keyAbove(line: StandingLine | undefined): string {
  if (!line) throw new Error('a gap has a line below it');
  return `${lineKey(line).sk}~`;
}

function pageOf(
  found: readonly StandingLine[],
  { fromMs = 0, limit, after }: StatementRange,
): StatementPage {
  const wanted = found.filter((it) => it.atMs >= fromMs);
  const lines = wanted.slice(0, limit);
  const upToSeq = after?.upToSeq ?? found[0]?.standing.seq ?? 0;
  const last = lines.at(-1);
  if (!last || wanted.length <= limit) return { lines, upToSeq };
  return { lines, upToSeq, next: { sk: lineKey(last).sk, seq: last.standing.seq, upToSeq } };
}

/**
 * The statement has not caught up with the journal. That takes a second; longer only where a
 * record was parked (docs/runbook.md).
 */
export function behind(): Problem {
  return new Problem('busy', {
    detail: 'The statement of the account has not caught up with its postings. Try again.',
    retryAfterSeconds: 1,
  });
}

/** One page of a derived account's statement, the newest line first: seconds behind. */
export async function readShardedStatement(
  { db }: Needs,
  statement: StatementName,
  { fromMs, toMs, limit, after }: StatementRange,
): Promise<StatementPage> {
  const range = { fromMs, toMs, limit: limit + 1, after: after?.sk };
  const found = await listShardedLines(db, statement, range);
  const lines = found.slice(0, limit);
  const last = lines.at(-1);
  return last && found.length > limit ? { lines, next: { sk: lineKey(last).sk } } : { lines };
}
