import { isDeepStrictEqual } from 'node:util';
import { eventKey, toEvent } from '../events/event.store.ts';
import type { OutboxEvent } from '../events/event.ts';
import { linesOfEvent } from '../ledger/project-entries.ts';
import { toldBy } from '../ledger/read-journal.ts';
import { lineKey, toLine, toLineItem } from '../ledger/statement.store.ts';
import type { StatementLine } from '../ledger/statement.ts';
import { readable } from '../shared/form.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { sortableMs } from '../shared/sortable.ts';
import { DAY_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import {
  type Advance,
  type Audit,
  type Checked,
  type Finding,
  type Look,
  nextPart,
  PATIENCE_MS,
} from './audit.ts';
import { placeOf } from './check-accounts.ts';
import { checkMovedAccounts } from './check-moved-accounts.ts';
import { eventFaults } from './event-faults.ts';
import { findRecordFaults } from './find-record-faults.ts';
import { journalLists, loadListed } from './journal-record.store.ts';
import { type FoundRecord, factsOf } from './journal-record.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** As many records as one call reads. */
const PAGE = 100;

/** Events live for 32 days, and their end may come late, but not early. */
const EVENT_AGE_MAX_MS = 29 * DAY_MS;

/**
 * The next records of the journal: each by itself and with those that it names, with its lines
 * and its event, and with the accounts that it is the first to move.
 */
export async function checkJournal(world: Needs, look: Look): Promise<Advance> {
  const { audit, position, rowsMax } = look;
  const lists = journalLists(audit.tenantId);
  const page = await world.db.query({
    table: 'ledger',
    index: 'listing',
    pk: lists[position.part] ?? '',
    sk: { from: '0', to: `${sortableMs(audit.createdAtMs)}~` },
    limit: Math.max(1, Math.min(PAGE, rowsMax)),
    ...(position.after && { after: position.after }),
  });
  const items = await loadListed(world.db, page.items);
  const { found, findings: faults } = await findRecordFaults(world, audit.tenantId, items);
  const lines = await checkLines(world, found);
  if (lines.isWaiting) return { ...STANDSTILL, position };
  const events = await checkEvents(world, audit, found);
  const accounts = await checkMovedAccounts(world.db, audit.tenantId, found);
  const findings = [...faults, ...lines.findings, ...events, ...accounts];
  const gain = { checked: countOf(found), findings };
  const rows = Math.max(1, page.items.length);
  const next = page.next
    ? { ...position, after: placeOf(page.next), waits: 0 }
    : nextPart(position, lists.length);
  return { gain, rows, position: next };
}

const STANDSTILL = { gain: { checked: {}, findings: [] }, rows: 1, isWaiting: true } as const;

function countOf(found: readonly FoundRecord[]): Partial<Checked> {
  const transactions = found.filter((it) => it.record.kind === 'transaction').length;
  return { transactions, holds: found.length - transactions };
}

/** What the event of a record must tell. One that names no event has lines nevertheless. */
function eventOf({ item, record }: FoundRecord): OutboxEvent | undefined {
  const hold = record.kind === 'hold' ? undefined : record.hold;
  return readable(() => toldBy({ ...item, event: item.event ?? 'evt_' }, hold));
}

/** Each leg of what was posted has its line, which says the same. */
async function checkLines({ clock, db }: Needs, found: readonly FoundRecord[]) {
  const wanted = found.flatMap((it) => {
    const event = eventOf(it);
    const lines = event ? (readable(() => linesOfEvent(event)) ?? []) : [];
    return lines.map((line) => ({ id: factsOf(it.record).id, line }));
  });
  const keys = wanted.map(({ line }) => ({ table: 'statements' as const, ...lineKey(line) }));
  const stored = keys.length > 0 ? await db.getAll(keys) : [];
  const isYoung = ({ atMs }: StatementLine) => clock.nowMs() - atMs < PATIENCE_MS;
  const isWaiting = wanted.some(({ line }, index) => !stored[index] && isYoung(line));
  const findings = wanted.flatMap(({ id, line }, index): Finding[] => {
    const what = lineFault(line, stored[index]);
    return what === undefined ? [] : [{ invariant: 'L3', id, detail: what }];
  });
  return { isWaiting, findings };
}

function lineFault(line: StatementLine, stored: Item | undefined): string | undefined {
  const { accountId, standing } = line;
  const place = standing ? `${accountId} at ${standing.seq}` : accountId;
  if (!stored) return `the statement of ${place} has no line of it`;
  const found = readable(() => toLine(line, stored));
  // As it would be read back.
  const wanted = toLine(line, toLineItem(line));
  if (isDeepStrictEqual(found, wanted)) return undefined;
  return `the statement of ${place} says something else`;
}

/** Each record has the event that it names, as long as events live. */
async function checkEvents(
  { clock, db }: Needs,
  { tenantId }: Pick<Audit, 'tenantId'>,
  found: readonly FoundRecord[],
): Promise<Finding[]> {
  const nowMs = clock.nowMs();
  const wanted = found.map((it) => ({ ...it, facts: factsOf(it.record), told: eventOf(it) }));
  const named = wanted.filter(({ facts }) => madeMs(facts.eventId) !== undefined);
  const young = named.filter(
    ({ facts }) => nowMs - (madeMs(facts.eventId) ?? 0) < EVENT_AGE_MAX_MS,
  );
  const keys = young.map(({ facts }) => ({
    table: 'outbox' as const,
    ...eventKey(tenantId, facts.eventId ?? ''),
  }));
  const stored = keys.length > 0 ? await db.getAll(keys) : [];
  const nameless = wanted.filter((it) => !named.includes(it));
  return [
    ...nameless.map(
      ({ facts }): Finding => ({ invariant: 'O1', id: facts.id, detail: 'it names no event' }),
    ),
    ...young.flatMap(({ facts, told }, index) => {
      const item = stored[index];
      const event = item && readable(() => toEvent(item));
      return told ? eventFaults(facts.id, told, event) : [];
    }),
  ];
}

/** When an event was made; undefined for what is no id of one. */
function madeMs(eventId: string | undefined): number | undefined {
  return eventId === undefined ? undefined : readable(() => timeOfId(eventId));
}
