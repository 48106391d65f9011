import { isDeepStrictEqual } from 'node:util';
import { isKnown, readable } from '../shared/form.ts';
import type { Item, World } from '../shared/world.ts';
import { toAccount } from './account.store.ts';
import type { Account } from './account.ts';
import { listAccountRows } from './account-list.store.ts';
import { letShow } from './read-whole.ts';
import {
  findTotalItems,
  putTotal,
  type ShardTotal,
  shardPartitions,
  toLine,
  toTotal,
} from './statement.store.ts';
import { type StatementName, statementOf, statementOfWorld } from './statement.ts';
import { readShard } from './statement-list.store.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** A shard that is written to more often than it can be read stays busy. */
const TRIES_MAX = 8;

/** What is stored and cannot be read, by its id, or by that of its account and its key. */
export interface Unreadable {
  readonly id: string;
  readonly detail: string;
}

/** How a row of a statement that cannot be read is told of. */
export function unreadableRow(
  { accountId }: StatementName,
  { pk, sk }: { readonly pk?: unknown; readonly sk?: unknown },
): Unreadable {
  return { id: accountId, detail: `its statement has a row that cannot be read: ${pk} ${sk}` };
}

/**
 * Holds a shard's total against its lines, and corrects it. Each line is committed together with
 * its total, so that a total that did not move while its lines were read is either their sum or
 * wrong; or the commit shows in one of the two only, which it does not for long. With a line that
 * cannot be read nobody knows the sum, and the total of a later release is not for this one: both
 * are left, and the row is answered.
 */
export async function rebuildTotal(
  world: Needs,
  statement: StatementName,
  { partition, dryRun }: { readonly partition: string; readonly dryRun: boolean },
): Promise<'right' | 'wrong' | 'busy' | Unreadable> {
  const { db } = world;
  let seen: { readonly off: ShardTotal | undefined } | undefined;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const [before] = await findTotalItems(db, [partition]);
    if (before && !isKnown(before)) return unreadableRow(statement, before);
    const sum = await sumOf(db, statement, partition);
    if ('id' in sum) return sum;
    const [after] = await findTotalItems(db, [partition]);
    if (!isDeepStrictEqual(after, before)) continue;
    const off = readable(() => difference(toTotal(before), sum));
    if (off?.sum === 0n && off.lines === 0) return 'right';
    if (!isDeepStrictEqual(seen, { off })) {
      seen = { off };
      await letShow(world);
      continue;
    }
    if (dryRun) return 'wrong';
    const commit = await db.commit([putTotal(partition, before, sum)]);
    if (commit.ok) return 'wrong';
  }
  return 'busy';
}

function difference(one: ShardTotal, other: ShardTotal): ShardTotal {
  return { sum: one.sum - other.sum, lines: one.lines - other.lines };
}

async function sumOf(
  db: Needs['db'],
  statement: StatementName,
  partition: string,
): Promise<ShardTotal | Unreadable> {
  let total = { sum: 0n, lines: 0 };
  for await (const items of readShard(db, partition)) {
    for (const item of items) {
      const line = readable(() => toLine(statement, item));
      if (!line) return unreadableRow(statement, item);
      total = { sum: total.sum + line.amount, lines: total.lines + 1 };
    }
  }
  return total;
}

/** A shard of a derived statement. */
export interface Shard {
  readonly statement: StatementName;
  readonly partition: string;
}

interface Where {
  readonly tenantId: string;
  /** Whether the journal has entries of this statement. */
  isTold(statement: StatementName): boolean;
  onUnreadable(what: Unreadable): void;
}

/**
 * The shards with a total whose statements the journal tells nothing of: of derived accounts, and
 * of `@world` in the currencies of all accounts. One unit for each account, and 16 for each of
 * these statements.
 */
export async function* findStrayTotals(
  { db }: Pick<World, 'db'>,
  { tenantId, isTold, onUnreadable }: Where,
): AsyncGenerator<Shard> {
  const currencies = new Set<string>();
  const isStray = (it: StatementName) => !isTold(it);
  for await (const accounts of readAccounts(db, { tenantId, onUnreadable })) {
    for (const { currency } of accounts) currencies.add(currency);
    const derived = accounts.filter((it) => it.mode === 'derived').map(statementOf);
    yield* withTotal(db, derived.filter(isStray));
  }
  const ofWorld = [...currencies].map((it) => statementOfWorld(tenantId, it));
  yield* withTotal(db, ofWorld.filter(isStray));
}

async function* readAccounts(
  db: Needs['db'],
  { tenantId, onUnreadable }: Omit<Where, 'isTold'>,
): AsyncGenerator<Account[]> {
  for await (const listed of listAccountRows(db, tenantId)) {
    const keys = listed.map(({ pk, sk }) => ({ pk: String(pk), sk: String(sk) }));
    const items = await db.getAll(keys.map((key) => ({ table: 'ledger' as const, ...key })));
    yield items.flatMap((item: Item | undefined, index) => {
      const account = item && readable(() => toAccount(item));
      const id = String(item?.id ?? keys[index]?.pk);
      if (item && !account) onUnreadable({ id, detail: 'the account cannot be read' });
      return account ?? [];
    });
  }
}

async function* withTotal(
  db: Needs['db'],
  statements: readonly StatementName[],
): AsyncGenerator<Shard> {
  const shards = statements.flatMap((statement) =>
    shardPartitions(statement).map((partition) => ({ statement, partition })),
  );
  const partitions = shards.map((it) => it.partition);
  const totals = await findTotalItems(db, partitions);
  yield* shards.filter((_shard, index) => totals[index] !== undefined);
}
