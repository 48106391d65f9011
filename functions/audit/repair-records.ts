import { eventKey, insertEvent } from '../events/event.store.ts';
import type { OutboxEvent } from '../events/event.ts';
import { saveResolution } from '../ledger/hold.store.ts';
import type { Hold, Release } from '../ledger/hold.ts';
import { holdCaptured, holdCreated, holdReleased } from '../ledger/hold-view.ts';
import { insertReversal } from '../ledger/transaction.store.ts';
import type { Transaction } from '../ledger/transaction.ts';
import { transactionPosted } from '../ledger/transaction-view.ts';
import { readable } from '../shared/form.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { pagesOf } from '../shared/page.ts';
import { DAY_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import {
  journalLists,
  loadListed,
  loadRecords,
  loadReversals,
  Records,
} from './journal-record.store.ts';
import { factsOf, type JournalRecord } from './journal-record.ts';
import { type Repair, repairOne } from './repair-one.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** As many records as one call reads. */
const PAGE = 100;

/** Events live for 32 days, and their end may come late, but not early. */
const EVENT_AGE_MAX_MS = 29 * DAY_MS;

/**
 * Goes through a tenant's journal and puts right what each record says of others: the end of its
 * hold, the mark of its reversal, its event. Answers each readable record, page by page, as it is
 * then.
 */
export async function* repairRecords(
  world: Needs,
  tenantId: string,
  repair: Repair,
): AsyncGenerator<readonly JournalRecord[]> {
  for (const pk of journalLists(tenantId)) {
    const query = { table: 'ledger', index: 'listing', pk, limit: PAGE } as const;
    for await (const listed of pagesOf(world.db, query)) {
      const items = (await loadListed(world.db, listed)).filter((it) => it !== undefined);
      const records = await readRecords(world, tenantId, items);
      await repairMarks(world, tenantId, { records, repair });
      const ended = await repairHolds(world, records, repair);
      await repairEvents(world, tenantId, { records: ended, repair });
      yield ended;
    }
  }
}

/** The records in these items, each with the hold that it ends. */
async function readRecords(
  { db }: Needs,
  tenantId: string,
  items: readonly Item[],
): Promise<JournalRecord[]> {
  const own = new Records(items);
  const ids = items.map((it) => String(it.id));
  const holds = await loadRecords(
    db,
    tenantId,
    ids.map((id) => own.transaction(id)?.holdId ?? own.release(id)?.holdId),
  );
  return ids.flatMap((id): JournalRecord[] => {
    const transaction = own.transaction(id);
    if (transaction) {
      return [{ kind: 'transaction', transaction, hold: holds.hold(transaction.holdId) }];
    }
    const release = own.release(id);
    if (release) return [{ kind: 'release', release, hold: holds.hold(release.holdId) }];
    const hold = own.hold(id);
    return hold ? [{ kind: 'hold', hold }] : [];
  });
}

/** A hold that is pending still has ended as the record says that names it. */
async function repairHolds(
  world: Needs,
  records: readonly JournalRecord[],
  repair: Repair,
): Promise<JournalRecord[]> {
  const ended: JournalRecord[] = [];
  for (const record of records) {
    const hold = record.kind === 'hold' ? undefined : record.hold;
    if (record.kind === 'hold' || hold?.status !== 'pending') {
      ended.push(record);
      continue;
    }
    const end =
      record.kind === 'release'
        ? releasedBy(hold, record.release)
        : capturedBy(hold, record.transaction);
    const writes = [saveResolution(end)];
    await repairOne(world, repair, { what: 'end of a hold', id: hold.id, writes });
    ended.push({ ...record, hold: end });
  }
  return ended;
}

function capturedBy(hold: Hold, { id, createdAtMs, postings: [posting] }: Transaction): Hold {
  return {
    ...hold,
    status: 'captured',
    capturedAmount: posting?.amount,
    destinationId: posting?.destinationId,
    transactionId: id,
    resolvedAtMs: createdAtMs,
  };
}

function releasedBy(hold: Hold, { id, status, createdAtMs }: Release): Hold {
  return { ...hold, status, releaseId: id, resolvedAtMs: createdAtMs };
}

interface Page {
  readonly records: readonly JournalRecord[];
  readonly repair: Repair;
}

/** Where what was reversed is there and knows nothing of it. */
async function repairMarks(world: Needs, tenantId: string, { records, repair }: Page) {
  const reversals = records.flatMap((it) =>
    it.kind === 'transaction' && it.transaction.reverses !== undefined
      ? [{ id: it.transaction.id, reverses: it.transaction.reverses }]
      : [],
  );
  const ids = reversals.map((it) => it.reverses);
  if (ids.length === 0) return;
  const known = await loadReversals(world.db, tenantId, ids);
  const originals = await loadRecords(world.db, tenantId, ids);
  for (const { id, reverses } of reversals) {
    if (known.has(reverses) || !originals.transaction(reverses)) continue;
    const writes = [insertReversal(tenantId, reverses, id)];
    await repairOne(world, repair, { what: 'mark of a reversal', id, writes });
  }
}

async function repairEvents(world: Needs, tenantId: string, { records, repair }: Page) {
  const nowMs = world.clock.nowMs();
  const told = records.flatMap((it) => eventOf(it) ?? []);
  const young = told.filter(({ id }) => nowMs - timeOfId(id) < EVENT_AGE_MAX_MS);
  if (young.length === 0) return;
  const keys = young.map(({ id }) => ({ table: 'outbox' as const, ...eventKey(tenantId, id) }));
  const stored = await world.db.getAll(keys);
  for (const [index, event] of young.entries()) {
    if (stored[index]) continue;
    const writes = [insertEvent(event)];
    await repairOne(world, repair, { what: 'missing event', id: event.id, writes });
  }
}

/**
 * The event that told of a record, made again: only what led to the request is not known any more.
 * Undefined for what cannot be told without its hold.
 */
function eventOf(record: JournalRecord): OutboxEvent | undefined {
  const { eventId } = factsOf(record);
  if (eventId === undefined || readable(() => timeOfId(eventId)) === undefined) return undefined;
  if (record.kind === 'hold') return holdCreated(asCreated(record.hold), {});
  const { hold } = record;
  if (record.kind === 'release') return hold && holdReleased(hold, record.release, {});
  const { transaction } = record;
  if (transaction.holdId === undefined) return transactionPosted(transaction);
  return hold && holdCaptured(hold, transaction);
}

/** Its creation did not know its end. */
function asCreated(hold: Hold): Hold {
  return {
    ...hold,
    status: 'pending',
    capturedAmount: undefined,
    transactionId: undefined,
    releaseId: undefined,
    resolvedAtMs: undefined,
  };
}
