import { eventKey, LISTING_SHARDS, toEvent } from '../events/event.store.ts';
import type { OutboxEvent } from '../events/event.ts';
import { readable } from '../shared/form.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import type { Item, World } from '../shared/world.ts';
import { type Advance, type Finding, type Look, nextPart } from './audit.ts';
import { placeOf } from './check-accounts.ts';
import { inventedFaults, isOfLedger, subjectOf } from './event-faults.ts';
import { loadRecords, type Records } from './journal-record.store.ts';

/** As many events as one call reads. */
const PAGE = 100;

/** The next events that tell of the ledger: each is the one that a record of the journal names. */
export async function checkEvents({ db }: Pick<World, 'db'>, look: Look): Promise<Advance> {
  const { audit, position, rowsMax } = look;
  const { tenantId, createdAtMs } = audit;
  const page = await db.query({
    table: 'outbox',
    index: 'listing',
    pk: `${tenantId}#${position.part}`,
    limit: Math.max(1, Math.min(PAGE, rowsMax)),
    ...(position.after && { after: position.after }),
  });
  const listed = page.items.filter((it) => isOfLedger(it.type));
  const ids = listed.map((it) => String(it.listingSk)).filter((it) => madeMs(it) <= createdAtMs);
  const keys = ids.map((id) => ({ table: 'outbox' as const, ...eventKey(tenantId, id) }));
  const items = keys.length > 0 ? await db.getAll(keys) : [];
  const events = items.filter((it) => it !== undefined);
  const findings = await findInvented(db, tenantId, events);
  const last = page.items.at(-1);
  const isOver = !page.next || (last !== undefined && madeMs(last.listingSk) > createdAtMs);
  return {
    gain: { checked: { events: events.length }, findings },
    rows: Math.max(1, page.items.length),
    position:
      isOver || !page.next
        ? nextPart(position, LISTING_SHARDS)
        : { ...position, after: placeOf(page.next), waits: 0 },
  };
}

function madeMs(eventId: unknown): number {
  return readable(() => timeOfId(String(eventId))) ?? 0;
}

async function findInvented(
  db: Pick<World['db'], 'getAll'>,
  tenantId: string,
  items: readonly Item[],
): Promise<Finding[]> {
  const events = items.flatMap((item) => readable(() => toEvent(item)) ?? []);
  const records = await loadRecords(db, tenantId, events.map(subjectOf));
  const ends = events.map((it) =>
    isRelease(it) ? records.hold(subjectOf(it))?.releaseId : undefined,
  );
  const releases = await loadRecords(db, tenantId, ends);
  return events.flatMap((event, index) => {
    const named = isRelease(event)
      ? releases.release(ends[index])?.eventId
      : namedBy(records, event);
    return inventedFaults(event, named);
  });
}

function isRelease({ type }: OutboxEvent): boolean {
  return type === 'hold.voided' || type === 'hold.expired';
}

/** The event of what this one tells of; undefined when nothing of the kind was posted. */
function namedBy(records: Records, event: OutboxEvent): string | undefined {
  const subject = subjectOf(event);
  if (event.type === 'hold.created') return records.hold(subject)?.eventId;
  const transaction = records.transaction(subject);
  const isOne =
    event.type === (transaction?.type === 'capture' ? 'hold.captured' : 'transaction.posted');
  if (!isOne || transaction?.status !== 'posted') return undefined;
  return transaction.eventId;
}
