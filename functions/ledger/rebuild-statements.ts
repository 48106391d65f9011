import { isDeepStrictEqual } from 'node:util';
import type { World } from '../shared/world.ts';
import { linesOfEvent } from './project-entries.ts';
import { readJournal } from './read-journal.ts';
import { saveLines } from './save-lines.ts';
import {
  findTotal,
  lineKey,
  putLine,
  putTotal,
  type ShardTotal,
  shardPartitions,
  statementPartition,
  toLine,
  toLineItem,
} from './statement.store.ts';
import { hasStanding, type StatementLine, type StatementName } from './statement.ts';
import { readShard } from './statement-list.store.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** What a rebuild has found. In a dry run all of it is left as it is. */
export interface Rebuilt {
  /** Lines that follow from the journal. */
  lines: number;
  missing: number;
  /** Lines that are there and say something else. */
  different: number;
  /** Totals of shards that are not the sum of their lines. */
  wrongTotals: number;
  /** Totals that others kept writing, so that nothing can be said of them. */
  busyTotals: number;
}

/** A shard that is written to more often than it can be read stays busy. */
const TRIES_MAX = 5;

/**
 * Makes a tenant's statements what its journal says, line by line and total by total. It may run
 * at any time, beside the projection, and any number of times. `onPage` is told how far it has
 * come. What is in a statement and not in the journal stays.
 */
export async function rebuildStatements(
  world: Needs,
  tenantId: string,
  {
    dryRun,
    onPage = () => undefined,
  }: { readonly dryRun: boolean; readonly onPage?: (soFar: Rebuilt) => void },
): Promise<Rebuilt> {
  const found = { lines: 0, missing: 0, different: 0, wrongTotals: 0, busyTotals: 0 };
  const derived = new Map<string, StatementName>();
  for await (const events of readJournal(world, tenantId)) {
    const lines = events.flatMap(linesOfEvent);
    for (const line of lines.filter((it) => !hasStanding(it))) {
      const { accountId, currency } = line;
      derived.set(statementPartition(line), { tenantId, accountId, currency });
    }
    await rebuildLines(world, lines, { found, dryRun });
    onPage(found);
  }
  for (const statement of derived.values()) {
    for (const partition of shardPartitions(statement)) {
      const outcome = await rebuildTotal(world, statement, { partition, dryRun });
      if (outcome === 'wrong') found.wrongTotals += 1;
      if (outcome === 'busy') found.busyTotals += 1;
    }
    onPage(found);
  }
  return found;
}

async function rebuildLines(
  world: Needs,
  lines: readonly StatementLine[],
  { found, dryRun }: { readonly found: Rebuilt; readonly dryRun: boolean },
): Promise<void> {
  const keys = lines.map((it) => ({ table: 'statements' as const, ...lineKey(it) }));
  const stored = await world.db.getAll(keys);
  const missing = lines.filter((_line, index) => stored[index] === undefined);
  const different = lines.filter((line, index) => {
    const item = stored[index];
    return item !== undefined && !isDeepStrictEqual(toLine(line, item), asStored(line));
  });
  found.lines += lines.length;
  found.missing += missing.length;
  found.different += different.length;
  if (dryRun) return;
  await saveLines(world, missing);
  // The total of a shard follows when all of its lines are right.
  for (const line of different) await world.db.commit([putLine(line)]);
}

/** The line as it is read back. */
function asStored(line: StatementLine): StatementLine {
  return toLine(line, toLineItem(line));
}

/**
 * Each line is committed together with its total, so that a total that did not move while its
 * lines were read is either their sum or wrong.
 */
async function rebuildTotal(
  { db }: Needs,
  statement: StatementName,
  { partition, dryRun }: { readonly partition: string; readonly dryRun: boolean },
): Promise<'right' | 'wrong' | 'busy'> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const before = await findTotal(db, partition);
    const sum = await sumOf(db, statement, partition);
    if (!isDeepStrictEqual(await findTotal(db, partition), before)) continue;
    if (isDeepStrictEqual(sum, before)) return 'right';
    if (dryRun) return 'wrong';
    const commit = await db.commit([putTotal(partition, before, sum)]);
    if (commit.ok) return 'wrong';
  }
  return 'busy';
}

async function sumOf(
  db: Needs['db'],
  statement: StatementName,
  partition: string,
): Promise<ShardTotal> {
  let total = { sum: 0n, lines: 0 };
  for await (const page of readShard(db, statement, partition)) {
    const sum = page.reduce((amount, it) => amount + it.amount, total.sum);
    total = { sum, lines: total.lines + page.length };
  }
  return total;
}
