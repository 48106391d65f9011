import { pagesOf, readUpTo } from '../shared/page.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item } from '../shared/world.ts';
import { shardPartitions, statementPartition, toLine } from './statement.store.ts';
import {
  hasStanding,
  type StandingLine,
  type StatementLine,
  type StatementName,
} from './statement.ts';

type Reads = Pick<Db, 'query'>;

/** Which lines, in milliseconds since 1970: from `fromMs` on, and before `toMs`. */
export interface Period {
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

export interface LineRange extends Period {
  readonly limit: number;
  /** The key of the line where the page before ended. */
  readonly after?: string | undefined;
}

/** Sorts behind each line, and before a total. */
const LAST = `${sortableMs(Number.POSITIVE_INFINITY)}~`;

/** A time sorts before each line of its millisecond, and so ends the ones before it. */
function bounds({ fromMs = 0, toMs, after }: LineRange): { from: string; to: string } {
  const to = after ?? (toMs === undefined ? LAST : sortableMs(toMs));
  return { from: sortableMs(fromMs), to };
}

/** Lines of a limited account, the newest first, as far as the projection has come. */
export async function listStandingLines(
  db: Reads,
  statement: StatementName,
  range: LineRange,
): Promise<StandingLine[]> {
  const items = await readPartition(db, statementPartition(statement), range);
  return items.map((item) => asStanding(toLine(statement, item)));
}

/** The last line at or before an instant. */
export async function findLineAt(
  db: Reads,
  statement: StatementName,
  atMs: number,
): Promise<StandingLine | undefined> {
  const [line] = await listStandingLines(db, statement, { toMs: atMs + 1, limit: 1 });
  return line;
}

/** The first line at or after an instant. */
export async function findLineFrom(
  db: Reads,
  statement: StatementName,
  fromMs: number,
): Promise<StandingLine | undefined> {
  const { items } = await db.query({
    table: 'statements',
    pk: statementPartition(statement),
    sk: { from: sortableMs(fromMs), to: LAST },
    limit: 1,
  });
  return items[0] && asStanding(toLine(statement, items[0]));
}

function asStanding(line: StatementLine): StandingLine {
  if (!hasStanding(line)) throw new Error('a line of a limited account has no seq');
  return line;
}

/** Lines of a derived account, merged from its shards, the newest first. */
export async function listShardedLines(
  db: Reads,
  statement: StatementName,
  range: LineRange,
): Promise<StatementLine[]> {
  const parts = await Promise.all(
    shardPartitions(statement).map((partition) => readPartition(db, partition, range)),
  );
  return parts
    .flat()
    .sort((a, b) => (String(a.sk) < String(b.sk) ? 1 : -1))
    .slice(0, range.limit)
    .map((item) => toLine(statement, item));
}

async function readPartition(db: Reads, pk: string, range: LineRange): Promise<readonly Item[]> {
  const { from, to } = bounds(range);
  if (from > to) return [];
  return readUpTo(
    db,
    { table: 'statements', pk, sk: { from, to }, newestFirst: true },
    { limit: range.limit, after: range.after === undefined ? undefined : { pk, sk: range.after } },
  );
}

/** Which lines of a partition, from the oldest on. */
export interface OnwardRange {
  readonly partition: string;
  readonly limit: number;
  /** Behind the line with this key. */
  readonly after?: string | undefined;
  /** Before this time, in milliseconds since 1970. */
  readonly toMs?: number | undefined;
}

/** The stored items of lines as they lie there, from the oldest on, and no total. */
export async function listLineItems(
  db: Reads,
  { partition: pk, limit, after, toMs }: OnwardRange,
): Promise<readonly Item[]> {
  const [from, to] = [sortableMs(0), toMs === undefined ? LAST : sortableMs(toMs)];
  if (after !== undefined && after >= to) return [];
  const position = after === undefined ? undefined : { pk, sk: after };
  const query = { table: 'statements', pk, sk: { from, to } } as const;
  return readUpTo(db, query, { limit, after: position });
}

/** The stored items of all lines of one shard from the oldest on, in pages that fit into memory. */
export function readShard(db: Reads, partition: string): AsyncGenerator<readonly Item[]> {
  const sk = { from: sortableMs(0), to: LAST };
  return pagesOf(db, { table: 'statements', pk: partition, sk });
}
