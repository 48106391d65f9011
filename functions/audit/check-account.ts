import { toAccount } from '../ledger/account.store.ts';
import type { Account } from '../ledger/account.ts';
import { statementPartition, toLine } from '../ledger/statement.store.ts';
import { hasStanding, type StandingLine, statementOf } from '../ledger/statement.ts';
import { listLineItems } from '../ledger/statement-list.store.ts';
import { readable } from '../shared/form.ts';
import type { World } from '../shared/world.ts';
import { AccountWalk, type FoldAdvance } from './account-walk.ts';
import type { Audit, Finding } from './audit.ts';
import { findLineRecords } from './find-line-records.ts';
import type { AccountFold } from './fold.ts';
import { findStored } from './journal-record.store.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** The next lines of an account, up to `limit`, each against the journal and all before it. */
export async function checkAccount(
  world: Needs,
  { tenantId }: Pick<Audit, 'tenantId'>,
  { fold, limit }: { readonly fold: AccountFold; readonly limit: number },
): Promise<FoldAdvance> {
  const account = toAccount(fold.target);
  const statement = statementOf(account);
  const partition = statementPartition(statement);
  const items = await listLineItems(world.db, { partition, limit, after: fold.after });
  const lines = items.map((item) => readable(() => asStanding(toLine(statement, item))));
  const readLines = lines.filter((it) => it !== undefined);
  const records = await findLineRecords(world, tenantId, readLines);
  const recordOf = new Map(readLines.map((line, index) => [line, records[index]]));
  const walk = new AccountWalk(account, fold, world.clock.nowMs());
  for (const [index, item] of items.entries()) {
    const line = lines[index];
    const goesOn = line ? walk.take(item, line, recordOf.get(line)) : walk.passOver(item);
    if (!goesOn) break;
  }
  if (items.length < limit) walk.end();
  if (!walk.isDone) return walk.advance();
  const after = await checkBehind(world, account, { partition, after: walk.after });
  return walk.advance(after);
}

function asStanding(line: ReturnType<typeof toLine>): StandingLine {
  if (!hasStanding(line)) throw new Error('a line of a limited account has no seq');
  return line;
}

/** The line behind the last one that was wanted: is it a later entry of the account? */
async function checkBehind(
  { db }: Pick<World, 'db'>,
  account: Account,
  { partition, after }: { readonly partition: string; readonly after: string | undefined },
): Promise<Finding[]> {
  const [item] = await listLineItems(db, { partition, limit: 1, after });
  if (!item) return [];
  const line = readable(() => asStanding(toLine(statementOf(account), item)));
  const now = await findStored(db, account.tenantId, account.id);
  const seq = line?.standing.seq ?? 0;
  if (line && seq > account.seq && seq <= Number(now?.seq)) return [];
  const id = line?.transactionId ?? line?.holdId ?? account.id;
  const detail = `line ${seq} of ${account.id} names it, beyond the entry ${account.seq}`;
  return [{ invariant: 'L3', id, detail }];
}
