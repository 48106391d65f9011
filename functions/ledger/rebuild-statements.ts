import { isDeepStrictEqual } from 'node:util';
import { isKnown, readable } from '../shared/form.ts';
import type { Item, World } from '../shared/world.ts';
import { linesOfEvent } from './project-entries.ts';
import { readJournal, type ToldRecord } from './read-journal.ts';
import {
  findStrayTotals,
  rebuildTotal,
  type Shard,
  type Unreadable,
  unreadableRow,
} from './rebuild-totals.ts';
import { saveLines } from './save-lines.ts';
import {
  findTotalItems,
  lineKey,
  putLine,
  shardPartitions,
  statementPartition,
  toLine,
  toLineItem,
  toTotal,
} from './statement.store.ts';
import { hasStanding, type StatementLine, type StatementName } from './statement.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** What a rebuild has found. In a dry run all of it is left as it is. */
export interface Rebuilt {
  /** Lines that follow from the journal. */
  lines: number;
  missing: number;
  /** Lines that are there and say something else, or cannot be read. */
  different: number;
  /** Totals of shards that are not the sum of their lines. */
  wrongTotals: number;
  /** Totals that others kept writing, so that nothing can be said of them. */
  busyTotals: number;
  /** Records and rows that cannot be read, and stay: each was told of. */
  unreadable: number;
}

/** How a rebuild goes about it. */
export interface RebuildOptions {
  readonly dryRun: boolean;
  /** Is told how far it has come. */
  readonly onPage?: (soFar: Rebuilt) => void;
  /** Is told of each record and row that nobody can read. The rest goes on without it. */
  readonly onUnreadable?: (what: Unreadable) => void;
}

interface Rebuild {
  readonly dryRun: boolean;
  readonly found: Rebuilt;
  tell(what: Unreadable): void;
}

/**
 * Makes a tenant's statements what its journal says, line by line and total by total. It may run
 * at any time, beside the projection, and any number of times. What is in a statement and not in
 * the journal stays. A row that cannot be read is put anew, but not one of a later release.
 */
export async function rebuildStatements(
  world: Needs,
  tenantId: string,
  { dryRun, onPage = () => undefined, onUnreadable = () => undefined }: RebuildOptions,
): Promise<Rebuilt> {
  const found: Rebuilt = {
    ...{ lines: 0, missing: 0, different: 0 },
    ...{ wrongTotals: 0, busyTotals: 0, unreadable: 0 },
  };
  const tell = onceEach((what) => {
    found.unreadable += 1;
    onUnreadable(what);
  });
  const rebuild: Rebuild = { dryRun, found, tell };
  const derived = new Map<string, StatementName>();
  for await (const records of readJournal(world, tenantId)) {
    const lines = linesOf(records, rebuild);
    for (const line of lines.filter((it) => !hasStanding(it))) {
      const { accountId, currency } = line;
      derived.set(statementPartition(line), { tenantId, accountId, currency });
    }
    await rebuildLines(world, lines, rebuild);
    onPage(found);
  }
  for (const statement of derived.values()) {
    for (const partition of shardPartitions(statement)) {
      await rebuildShard(world, { statement, partition }, rebuild);
    }
    onPage(found);
  }
  const isTold = (it: StatementName) => derived.has(statementPartition(it));
  for await (const shard of findStrayTotals(world, { tenantId, isTold, onUnreadable: tell })) {
    await rebuildShard(world, shard, rebuild);
  }
  return found;
}

/** A line is met a second time where the total of its shard is added up. */
function onceEach(tell: (what: Unreadable) => void): (what: Unreadable) => void {
  const told = new Set<string>();
  return (what) => {
    const name = `${what.id} ${what.detail}`;
    if (told.has(name)) return;
    told.add(name);
    tell(what);
  };
}

function linesOf(records: readonly ToldRecord[], { tell }: Rebuild): StatementLine[] {
  return records.flatMap(({ id, event }) => {
    const lines = event && readable(() => linesOfEvent(event));
    if (!lines) tell({ id, detail: 'its record cannot be read' });
    return lines ?? [];
  });
}

async function rebuildLines(
  world: Needs,
  lines: readonly StatementLine[],
  { found, dryRun, tell }: Rebuild,
): Promise<void> {
  const keys = lines.map((it) => ({ table: 'statements' as const, ...lineKey(it) }));
  const stored = await world.db.getAll(keys);
  const missing = lines.filter((_line, index) => stored[index] === undefined);
  const different = lines.filter((line, index) => isDifferent(line, stored[index]));
  for (const [index, line] of lines.entries()) {
    const item = stored[index];
    if (item && !isKnown(item)) tell(unreadableRow(line, item));
  }
  found.lines += lines.length;
  found.missing += missing.length;
  found.different += different.length;
  if (dryRun) return;
  // First, because nobody knows the total of a shard with a line that cannot be read.
  for (const line of different) await world.db.commit([putLine(line)]);
  const closed = await openShards(world, missing, found);
  const isOpen = (it: StatementLine) => !closed.has(lineKey(it).pk);
  await saveLines(world, missing.filter(isOpen));
  // What lies in a shard that stays closed is left to the next run, and to be told of.
  found.missing -= missing.filter((it) => !isOpen(it)).length;
  found.busyTotals += closed.size;
}

/** Whether it says something else. What a later release has written is not for this one. */
function isDifferent(line: StatementLine, item: Item | undefined): boolean {
  if (!item || !isKnown(item)) return false;
  const found = readable(() => toLine(line, item));
  return !isDeepStrictEqual(found, toLine(line, toLineItem(line)));
}

/**
 * Nothing can be added to a total that is no number: makes those of these lines anew first.
 * Answers the shards where that cannot be done.
 */
async function openShards(
  world: Needs,
  missing: readonly StatementLine[],
  found: Rebuilt,
): Promise<ReadonlySet<string>> {
  const ofShards = missing.filter((it) => !hasStanding(it));
  const shards = new Map(ofShards.map((it) => [lineKey(it).pk, it] as const));
  const totals = await findTotalItems(world.db, [...shards.keys()]);
  const closed = new Set<string>();
  for (const [index, [partition, line]] of [...shards].entries()) {
    if (readable(() => toTotal(totals[index]))) continue;
    const outcome = await rebuildTotal(world, line, { partition, dryRun: false });
    if (outcome === 'wrong') found.wrongTotals += 1;
    if (typeof outcome === 'object' || outcome === 'busy') closed.add(partition);
  }
  return closed;
}

async function rebuildShard(world: Needs, { statement, partition }: Shard, rebuild: Rebuild) {
  const { found, dryRun, tell } = rebuild;
  const outcome = await rebuildTotal(world, statement, { partition, dryRun });
  if (outcome === 'wrong') found.wrongTotals += 1;
  else if (outcome === 'busy') found.busyTotals += 1;
  else if (outcome !== 'right') tell(outcome);
}
