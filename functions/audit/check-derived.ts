import { WORLD } from '../ledger/account.ts';
import { letShow } from '../ledger/read-whole.ts';
import {
  findTotal,
  type ShardTotal,
  STATEMENT_SHARDS,
  shardPartitions,
  toLine,
} from '../ledger/statement.store.ts';
import type { StatementLine } from '../ledger/statement.ts';
import { listLineItems } from '../ledger/statement-list.store.ts';
import { readable } from '../shared/form.ts';
import { Problem } from '../shared/problem.ts';
import { MINUTE_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import type { FoldAdvance } from './account-walk.ts';
import type { Audit, Finding } from './audit.ts';
import { findLineRecords } from './find-line-records.ts';
import { type DerivedFold, foldOfShard } from './fold.ts';
import { factsOf, type LineRecord } from './journal-record.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** Lines older than this come in by repairs only. */
const SETTLED_MS = MINUTE_MS;
const PASSES_MAX = 3;
const TAIL_TRIES_MAX = 5;
const TAIL_PAGE = 1_000;

/**
 * The next lines of a derived account, up to `limit`, each against the journal; and at the end of
 * a shard, whether they add up to its total. A shard whose total moves while it is read is right
 * or undecided, and never wrong.
 */
export async function checkDerived(
  world: Needs,
  { tenantId }: Pick<Audit, 'tenantId'>,
  { fold, limit }: { readonly fold: DerivedFold; readonly limit: number },
): Promise<FoldAdvance> {
  const partition = partitionOf(tenantId, fold);
  const first = fold.first ?? (await readTotal(world.db, partition));
  const toMs = world.clock.nowMs() - SETTLED_MS;
  const items = await listLineItems(world.db, { partition, limit, after: fold.after, toMs });
  const { amount, findings } = await checkLines(world, tenantId, { fold, items });
  const after = items.length > 0 ? String(items.at(-1)?.sk) : fold.after;
  const lines = fold.lines + items.length;
  const next = { ...fold, first, sum: fold.sum + amount, lines, ...(after && { after }) };
  const gain = { checked: { entries: items.length }, findings };
  const rows = Math.max(1, items.length);
  if (items.length === limit) return { gain, rows, fold: next };
  return endShard(world, tenantId, { fold: next, first, so: { gain, rows } });
}

function partitionOf(tenantId: string, { accountId, currency, shard }: DerivedFold): string {
  const partition = shardPartitions({ tenantId, accountId, currency })[shard];
  if (partition === undefined) throw new Error(`there is no shard ${shard}`);
  return partition;
}

/** Their sum, and those that tell of nothing, each once in all attempts. */
async function checkLines(
  world: Needs,
  tenantId: string,
  { fold, items }: { readonly fold: DerivedFold; readonly items: readonly Item[] },
): Promise<{ amount: bigint; findings: Finding[] }> {
  const statement = { ...fold, tenantId };
  const lines = items.map((item) => readable(() => toLine(statement, item)));
  const isNew = (_line: unknown, index: number) => String(items[index]?.sk) > (fold.toldTo ?? '');
  const fresh = lines.filter(isNew);
  const found = fresh.filter((it) => it !== undefined);
  const records = await findLineRecords(world, tenantId, found);
  const unreadable = found.length < fresh.length;
  return {
    amount: lines.reduce((sum, it) => sum + (it?.amount ?? 0n), 0n),
    findings: [
      ...found.flatMap((line, index) => lineFaults(fold, line, records[index])),
      ...(unreadable ? [wrong(fold, 'a line cannot be read')] : []),
    ],
  };
}

function lineFaults(
  { accountId, currency }: DerivedFold,
  line: StatementLine,
  record: LineRecord | undefined,
): Finding[] {
  const id = line.transactionId ?? line.holdId ?? accountId;
  const facts = record && factsOf(record);
  const leg = facts?.legs.find((it) => it.accountId === accountId && it.currency === currency);
  const tell = (detail: string): Finding[] => [{ invariant: 'L3', id, detail }];
  if (!leg) return tell(`a line of ${accountId} names it, and the journal has no such entry`);
  const isRight = leg.amount === line.amount && facts?.createdAtMs === line.atMs;
  if (isRight) return record?.isListed ? [] : tell('no list of the journal has it');
  return tell(`the line of ${accountId} says ${line.amount}, not ${leg.amount}, or another time`);
}

function wrong({ accountId, currency, shard }: DerivedFold, what: string): Finding {
  return { invariant: 'L3', id: accountId, detail: `${currency}, shard ${shard}: ${what}` };
}

interface End {
  readonly fold: DerivedFold;
  readonly first: ShardTotal;
  /** What was gained on the way. */
  readonly so: Pick<FoldAdvance, 'gain' | 'rows'>;
}

async function endShard(
  world: Needs,
  tenantId: string,
  { fold, first, so }: End,
): Promise<FoldAdvance> {
  const partition = partitionOf(tenantId, fold);
  let seen = await compareTail(world.db, fold, partition);
  if (!seen.isEqual) {
    // A line may show before its total, or after it, though not for long.
    await letShow(world);
    seen = await compareTail(world.db, fold, partition);
  }
  const { gain, rows } = so;
  if (seen.isEqual) return ended(fold, so, []);
  if (isSame(seen.total, first)) {
    const { sum, lines } = seen.total;
    const what = `the total is ${sum} of ${lines} lines, and the lines are ${seen.told}`;
    return ended(fold, so, [wrong(fold, what)]);
  }
  if (fold.pass + 1 === PASSES_MAX) {
    return ended(fold, { gain: { ...gain, undecided: 1 }, rows }, []);
  }
  // Only what the last attempt has looked at is counted.
  const { entries = 0 } = gain.checked;
  const toldTo = fold.after ?? fold.toldTo;
  const again = { ...foldOfShard(fold, fold.shard), pass: fold.pass + 1, toldTo };
  const checked = { entries: entries - fold.lines };
  return { gain: { ...gain, checked }, rows, fold: again };
}

function ended(
  fold: DerivedFold,
  { gain, rows }: Pick<FoldAdvance, 'gain' | 'rows'>,
  findings: readonly Finding[],
): FoldAdvance {
  const next = nextShard(fold);
  const checked = { ...gain.checked, accounts: next || fold.accountId === WORLD ? 0 : 1 };
  const all = { ...gain, checked, findings: [...gain.findings, ...findings] };
  return { gain: all, rows, fold: next };
}

function nextShard(fold: DerivedFold): DerivedFold | undefined {
  return fold.shard + 1 < STATEMENT_SHARDS ? foldOfShard(fold, fold.shard + 1) : undefined;
}

/** The newest lines, between two readings of the total that are equal if it can be had. */
async function compareTail(db: Needs['db'], fold: DerivedFold, partition: string) {
  for (let tries = 1; ; tries += 1) {
    const before = await readTotal(db, partition);
    const tail = await readTail(db, partition, fold.after);
    const total = await readTotal(db, partition);
    const sum = fold.sum + tail.sum;
    const lines = fold.lines + tail.lines;
    const isStill = isSame(before, total);
    if (isStill || tries === TAIL_TRIES_MAX) {
      const isEqual = isStill && total.sum === sum && total.lines === lines;
      return { total, isEqual, told: `${sum} of ${lines}` };
    }
  }
}

/** A total that cannot be read is that of no lines that there could be. */
async function readTotal(db: Needs['db'], partition: string): Promise<ShardTotal> {
  try {
    return await findTotal(db, partition);
  } catch (error) {
    if (error instanceof Problem) throw error;
    return { sum: 0n, lines: -1 };
  }
}

async function readTail(db: Needs['db'], partition: string, from: string | undefined) {
  let after = from;
  let [sum, lines] = [0n, 0];
  for (;;) {
    const items = await listLineItems(db, { partition, limit: TAIL_PAGE, after });
    for (const { amount } of items) sum += readable(() => BigInt(String(amount))) ?? 0n;
    lines += items.length;
    if (items.length < TAIL_PAGE) return { sum, lines };
    after = String(items.at(-1)?.sk);
  }
}

function isSame(one: ShardTotal, other: ShardTotal): boolean {
  return one.sum === other.sum && one.lines === other.lines;
}
