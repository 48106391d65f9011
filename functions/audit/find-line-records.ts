import type { StatementLine } from '../ledger/statement.ts';
import type { World } from '../shared/world.ts';
import { loadRecords } from './journal-record.store.ts';
import type { LineRecord } from './journal-record.ts';

/**
 * The record of the journal behind each of these lines, in their order; undefined where the
 * journal has none that can be read. A line of a hold is its creation or its release. One unit for
 * each record, and one for each hold that was captured or let go.
 */
export async function findLineRecords(
  { db }: Pick<World, 'db'>,
  tenantId: string,
  lines: readonly StatementLine[],
): Promise<(LineRecord | undefined)[]> {
  const ids = lines.flatMap((it) => [it.transactionId, it.holdId]);
  const records = await loadRecords(db, tenantId, ids);
  const holds = lines.map((it) => records.hold(it.holdId));
  const ends = lines.map((line, index) =>
    line.transactionId === undefined && line.standing?.seq !== holds[index]?.leg.seq
      ? holds[index]?.releaseId
      : undefined,
  );
  const releases = await loadRecords(db, tenantId, ends);
  return lines.map(({ transactionId, holdId = '' }, index): LineRecord | undefined => {
    const hold = holds[index];
    if (transactionId !== undefined) {
      const transaction = records.transaction(transactionId);
      const captured = transaction?.holdId === hold?.id ? hold : undefined;
      const isListed = records.isListed(tenantId, transactionId);
      return transaction && { kind: 'transaction', transaction, hold: captured, isListed };
    }
    const end = ends[index];
    if (end === undefined) {
      return hold && { kind: 'hold', hold, isListed: records.isListed(tenantId, holdId) };
    }
    const release = releases.release(end);
    const isListed = releases.isListed(tenantId, end);
    return release && { kind: 'release', release, hold, isListed };
  });
}

/** Whether a record that the line names is there, and cannot be read. One unit for each record. */
export async function namesUnreadable(
  { db }: Pick<World, 'db'>,
  { tenantId, transactionId, holdId }: StatementLine,
): Promise<boolean> {
  const records = await loadRecords(db, tenantId, [transactionId, holdId]);
  const releaseId = records.hold(holdId)?.releaseId;
  const releases = await loadRecords(db, tenantId, [releaseId]);
  const named = [transactionId, holdId].some((id) => records.isUnreadable(id));
  return named || releases.isUnreadable(releaseId);
}
