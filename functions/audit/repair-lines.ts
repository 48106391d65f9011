import type { Account } from '../ledger/account.ts';
import { shardPartitions, statementPartition, toLine } from '../ledger/statement.store.ts';
import {
  hasStanding,
  type StatementLine,
  type StatementName,
  statementOf,
  statementOfWorld,
} from '../ledger/statement.ts';
import { listLineItems } from '../ledger/statement-list.store.ts';
import { readable } from '../shared/form.ts';
import type { Item, World, Write } from '../shared/world.ts';
import { findLineRecords, namesUnreadable } from './find-line-records.ts';
import { factsOf, type LineRecord } from './journal-record.ts';
import { type Repair, repairOne } from './repair-one.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** As many lines as one call reads. */
const PAGE = 100;

/**
 * Takes the lines of accounts away that the journal knows nothing of. Their totals follow when the
 * statements are made anew.
 */
export async function repairLines(
  world: Needs,
  accounts: readonly Account[],
  repair: Repair,
): Promise<void> {
  for (const account of accounts) {
    const statement = statementOf(account);
    const isLimited = account.mode === 'limited';
    const partitions = isLimited ? [statementPartition(statement)] : shardPartitions(statement);
    for (const partition of partitions) {
      await repairPartition(world, statement, { partition, repair });
    }
  }
}

/** The same of `@world`. */
export async function repairLinesOfWorld(
  world: Needs,
  { tenantId, currencies }: { readonly tenantId: string; readonly currencies: Iterable<string> },
  repair: Repair,
): Promise<void> {
  for (const currency of currencies) {
    const statement = statementOfWorld(tenantId, currency);
    for (const partition of shardPartitions(statement)) {
      await repairPartition(world, statement, { partition, repair });
    }
  }
}

interface Where {
  readonly partition: string;
  readonly repair: Repair;
}

async function repairPartition(
  world: Needs,
  statement: StatementName,
  { partition, repair }: Where,
): Promise<void> {
  let items: readonly Item[];
  let after: string | undefined;
  do {
    items = await listLineItems(world.db, { partition, limit: PAGE, after });
    after = items.at(-1)?.sk as string | undefined;
    const found = items.flatMap((item) => {
      const line = readable(() => toLine(statement, item));
      return line ? [{ line, sk: String(item.sk) }] : [];
    });
    const records = await findLineRecords(
      world,
      statement.tenantId,
      found.map((it) => it.line),
    );
    for (const [index, { line, sk }] of found.entries()) {
      if (isTold(line, records[index])) continue;
      // The rebuild names the record; what follows from it is right as far as anybody knows.
      if (!records[index] && (await namesUnreadable(world, line))) continue;
      repair.lost({ id: nameOf(line), detail: lossOf(line) });
      const write: Write = { kind: 'remove', table: 'statements', key: { pk: partition, sk } };
      await repairOne(world, repair, {
        what: 'line of nothing',
        id: nameOf(line),
        writes: [write],
      });
    }
  } while (items.length === PAGE);
}

/** Whether the journal has the entry that the line is of, at its place. */
function isTold(line: StatementLine, record: LineRecord | undefined): boolean {
  const facts = record && factsOf(record);
  const leg = facts?.legs.find(
    (it) => it.accountId === line.accountId && it.currency === line.currency,
  );
  if (!leg || facts?.createdAtMs !== line.atMs) return false;
  return !hasStanding(line) || leg.seq === line.standing.seq;
}

const nameOf = (line: StatementLine) => line.transactionId ?? line.holdId ?? line.accountId;

function lossOf({ accountId, currency, amount, atMs, standing }: StatementLine): string {
  const at = new Date(atMs).toISOString();
  const after = standing ? `, balance ${standing.balanceAfter} after it (${standing.seq})` : '';
  return `the journal lacks it; its statement line said ${amount} ${currency} on ${accountId} \
at ${at}${after}`;
}
