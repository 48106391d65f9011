import { referenceListing } from '../ledger/transaction.store.ts';
import type { Item, World } from '../shared/world.ts';
import type { Finding } from './audit.ts';
import { captureFaults, holdFaults, releaseFaults } from './hold-faults.ts';
import { loadRecords, loadReversals, Records, recordPk } from './journal-record.store.ts';
import type { FoundRecord, JournalRecord } from './journal-record.ts';
import { effectFaults, markerFaults, reversalFaults, sumFaults } from './transaction-faults.ts';

interface Found {
  readonly found: readonly FoundRecord[];
  readonly findings: readonly Finding[];
}

/**
 * The records in these items of the journal, and what is wrong with each of them or between it and
 * those that it names: the hold of a capture or release, the end of a hold, what was reversed, and
 * by what.
 * What belongs to a record is read after it, so that it is as old at least.
 */
export async function findRecordFaults(
  { db }: Pick<World, 'db'>,
  tenantId: string,
  items: readonly (Item | undefined)[],
): Promise<Found> {
  const there = items.filter((it) => it !== undefined);
  const own = new Records(there);
  const named = await loadRecords(
    db,
    tenantId,
    there.flatMap((it) => namedBy(own, String(it.id))),
  );
  const reversals = await readReversals({ db }, tenantId, { there, own });
  const found: FoundRecord[] = [];
  const findings: Finding[] = [];
  for (const item of there) {
    const id = String(item.id);
    const seen = judge({ own, named, reversals }, id);
    if (!seen) {
      findings.push({ invariant: 'L3', id, detail: 'it cannot be read' });
      continue;
    }
    const place = { pk: String(item.pk), expectedPk: recordPk(tenantId, id) };
    found.push({ item, record: seen.record });
    const reference = referenceFaults(seen.record, item);
    findings.push(...effectFaults(seen.record, place), ...seen.findings, ...reference);
  }
  return { found, findings };
}

function namedBy(own: Records, id: string): (string | undefined)[] {
  const transaction = own.transaction(id);
  const hold = own.hold(id);
  return [
    ...[transaction?.holdId, transaction?.reverses],
    ...[hold?.transactionId, hold?.releaseId, own.release(id)?.holdId],
  ];
}

/** By which reversals these transactions, and those that they reverse, know to be taken back. */
interface Reversals {
  readonly idOf: ReadonlyMap<string, string>;
  readonly records: Records;
}

async function readReversals(
  { db }: Pick<World, 'db'>,
  tenantId: string,
  { there, own }: { readonly there: readonly Item[]; readonly own: Records },
): Promise<Reversals> {
  const transactions = there.flatMap((it) => own.transaction(String(it.id)) ?? []);
  const ids = transactions.flatMap((it) => [
    it.id,
    ...(it.reverses === undefined ? [] : [it.reverses]),
  ]);
  const idOf = await loadReversals(db, tenantId, [...new Set(ids)]);
  const known = transactions.map((it) => idOf.get(it.id));
  return { idOf, records: await loadRecords(db, tenantId, known) };
}

interface Sources {
  readonly own: Records;
  readonly named: Records;
  readonly reversals: Reversals;
}

function judge({ own, named, reversals }: Sources, id: string) {
  const transaction = own.transaction(id);
  if (transaction) {
    const hold = named.hold(transaction.holdId);
    const original = named.transaction(transaction.reverses);
    const reversedBy = reversals.idOf.get(transaction.reverses ?? '');
    const reversalId = reversals.idOf.get(id);
    const reversal = reversals.records.transaction(reversalId);
    const findings = [
      ...sumFaults(transaction),
      ...captureFaults(transaction, hold),
      ...reversalFaults(transaction, { original, reversedBy }),
      ...markerFaults(transaction, { reversalId, reversal }),
    ];
    return { record: { kind: 'transaction', transaction, hold } as const, findings };
  }
  const release = own.release(id);
  if (release) {
    const hold = named.hold(release.holdId);
    const record = { kind: 'release', release, hold } as const;
    return { record, findings: releaseFaults(release, hold) };
  }
  const hold = own.hold(id);
  if (!hold) return undefined;
  const capture = named.transaction(hold.transactionId);
  const end = { capture, release: named.release(hold.releaseId) };
  return { record: { kind: 'hold', hold } as const, findings: holdFaults(hold, end) };
}

/** L3: a record with a reference that no list of its reference has. */
function referenceFaults(record: JournalRecord, item: Item): Finding[] {
  if (record.kind !== 'transaction') return [];
  const { id, tenantId, status, reference } = record.transaction;
  if (reference === undefined) return [];
  const list = referenceListing(tenantId, status, reference);
  const isFound = item.referencePk === list && String(item.referenceSk).endsWith(`#${id}`);
  return isFound ? [] : [{ invariant: 'L3', id, detail: 'its reference does not find it' }];
}
