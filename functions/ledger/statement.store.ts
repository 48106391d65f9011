import * as z from 'zod';
import { known } from '../shared/form.ts';
import { shardOf } from '../shared/ids/derive.ts';
import { msOfSortable, sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { StoredMinor } from './account.store.ts';
import { WORLD } from './account.ts';
import { hasStanding, type StatementLine, type StatementName, sourceOf } from './statement.ts';

/** One shard bears some 200 lines a second: they share the item with its total. */
export const STATEMENT_SHARDS = 16;

const SEQ_DIGITS = 16;
const TOTAL = 'TOTAL';

const LineItem = z.object({
  sk: z.string(),
  type: z.string(),
  amount: StoredMinor,
  bal: StoredMinor.optional(),
  avail: StoredMinor.optional(),
  txn: z.string().optional(),
  hld: z.string().optional(),
  reference: z.string().optional(),
});

const TotalItem = z.object({ sum: StoredMinor, lines: z.int() });

/** The sum of a shard's lines, and how many they are. */
export interface ShardTotal {
  readonly sum: bigint;
  readonly lines: number;
}

/** The partition of a limited account's lines; that of a derived one has a shard behind it. */
export function statementPartition({ tenantId, accountId, currency }: StatementName): string {
  return `${tenantId}#${accountId === WORLD ? `${WORLD}:${currency}` : accountId}`;
}

/** All partitions of a derived account's lines. */
export function shardPartitions(statement: StatementName): string[] {
  const partition = statementPartition(statement);
  return Array.from({ length: STATEMENT_SHARDS }, (_, shard) => `${partition}#${shard}`);
}

/** Where a line lies, by nothing but what never changes: written twice, it is one line. */
export function lineKey(line: StatementLine): Key {
  const partition = statementPartition(line);
  const at = sortableMs(line.atMs);
  if (hasStanding(line)) return { pk: partition, sk: `${at}#${sortableSeq(line.standing.seq)}` };
  const source = sourceOf(line);
  return { pk: `${partition}#${shardOf(source, STATEMENT_SHARDS)}`, sk: `${at}#${source}` };
}

function sortableSeq(seq: number): string {
  return String(seq).padStart(SEQ_DIGITS, '0');
}

/** Puts a line, over what is there. The total of a derived account's shard is not touched. */
export function putLine(line: StatementLine): Write {
  return { kind: 'put', table: 'statements', item: toLineItem(line) };
}

/**
 * Lines of one shard of a derived account, and their sum on its total: each line counts once.
 * Refused where a line is there already, with that write's reason; the total is the last write.
 */
export function insertShardLines(lines: readonly StatementLine[]): Write[] {
  const [first] = lines;
  if (!first) return [];
  const inserts = lines.map(
    (line): Write => ({
      kind: 'put',
      table: 'statements',
      condition: 'attribute_not_exists(pk)',
      item: toLineItem(line),
    }),
  );
  const sum = lines.reduce((total, it) => total + it.amount, 0n);
  const total: Write = {
    kind: 'update',
    table: 'statements',
    key: { pk: lineKey(first).pk, sk: TOTAL },
    update: 'SET v = :v ADD #sum :sum, #lines :lines',
    names: { '#sum': 'sum', '#lines': 'lines' },
    values: { ':v': 1, ':sum': sum, ':lines': lines.length },
  };
  return [...inserts, total];
}

/** Corrects a shard's total. Refused when a line has come since the item `before` was read. */
export function putTotal(partition: string, before: Item | undefined, after: ShardTotal): Write {
  const put = {
    kind: 'put',
    table: 'statements',
    item: { pk: partition, sk: TOTAL, v: 1, ...after },
  } as const;
  if (!before) return { ...put, condition: 'attribute_not_exists(pk)' };
  // It may lack what it must have, or have it in another form.
  const { sum, lines } = before;
  const conditions = [
    sum === undefined ? 'attribute_not_exists(#sum)' : '#sum = :sum',
    lines === undefined ? 'attribute_not_exists(#lines)' : '#lines = :lines',
  ];
  return {
    ...put,
    condition: `attribute_exists(pk) AND ${conditions.join(' AND ')}`,
    names: { '#sum': 'sum', '#lines': 'lines' },
    values: {
      ...(sum !== undefined && { ':sum': sum }),
      ...(lines !== undefined && { ':lines': lines }),
    },
  };
}

/** A line as it is stored. */
export function toLineItem(line: StatementLine): Key & Item {
  return {
    ...lineKey(line),
    v: 1,
    type: line.type,
    amount: line.amount,
    bal: line.standing?.balanceAfter,
    avail: line.standing?.availableAfter,
    txn: line.transactionId,
    hld: line.holdId,
    reference: line.reference,
  };
}

/** The line in a stored item of this statement. */
export function toLine(
  { tenantId, accountId, currency }: StatementName,
  item: Item,
): StatementLine {
  const { sk, type, amount, bal, avail, ...stored } = LineItem.parse(known(item));
  const line = {
    tenantId,
    accountId,
    currency,
    atMs: msOfSortable(sk),
    type,
    amount,
    transactionId: stored.txn,
    holdId: stored.hld,
    reference: stored.reference,
  };
  if (bal === undefined || avail === undefined) return line;
  const seq = Number(sk.slice(sk.indexOf('#') + 1));
  return { ...line, standing: { seq, balanceAfter: bal, availableAfter: avail } };
}

/** The totals of a derived account's shards, in their order: 16 RRU. */
export async function findTotals(
  db: Pick<Db, 'getAll'>,
  statement: StatementName,
): Promise<ShardTotal[]> {
  return (await findAllTotals(db, [statement])).flat();
}

/** The same of many accounts by one read: 16 RRU for each, and none where there are none. */
export async function findAllTotals(
  db: Pick<Db, 'getAll'>,
  statements: readonly StatementName[],
): Promise<ShardTotal[][]> {
  const partitions = statements.flatMap(shardPartitions);
  const totals = (await findTotalItems(db, partitions)).map(toTotal);
  return statements.map((_, n) => totals.slice(n * STATEMENT_SHARDS, (n + 1) * STATEMENT_SHARDS));
}

/** One shard's total. */
export async function findTotal(db: Pick<Db, 'getAll'>, partition: string): Promise<ShardTotal> {
  const [item] = await findTotalItems(db, [partition]);
  return toTotal(item);
}

/** The totals of these shards as they are stored, in their order. */
export async function findTotalItems(
  db: Pick<Db, 'getAll'>,
  partitions: readonly string[],
): Promise<(Item | undefined)[]> {
  if (partitions.length === 0) return [];
  return db.getAll(partitions.map((pk) => ({ table: 'statements' as const, pk, sk: TOTAL })));
}

/** The total in a stored item; where there is none, that of no lines. */
export function toTotal(item: Item | undefined): ShardTotal {
  return item ? TotalItem.parse(known(item)) : { sum: 0n, lines: 0 };
}
