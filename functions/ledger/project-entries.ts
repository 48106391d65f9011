import * as z from 'zod';
import { toEvent } from '../events/event.store.ts';
import type { OutboxEvent } from '../events/event.ts';
import type { StreamRecord } from '../shared/aws/stream.ts';
import type { World } from '../shared/world.ts';
import { saveLines } from './save-lines.ts';
import { type Entry, linesOf, type StatementLine } from './statement.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'>;

const Minor = z.string().transform((it) => BigInt(it));

const EntryData = z.object({
  accountId: z.string(),
  currency: z.string(),
  amount: Minor,
  seq: z.int().optional(),
  balanceAfter: Minor.optional(),
  availableAfter: Minor.optional(),
});

/** What the events of the ledger say; the rest of their data is for receivers. */
const EventData = z.object({
  id: z.string(),
  type: z.string().optional(),
  transactionId: z.string().optional(),
  reference: z.string().optional(),
  /** Of a captured hold. */
  transaction: z.object({ id: z.string().optional(), reference: z.string().optional() }).optional(),
  entries: z.array(EntryData).min(1),
});

/** What the line of a hold's event is called. */
const HOLD_ENTRIES: Readonly<Record<string, string>> = {
  'hold.created': 'hold',
  'hold.captured': 'capture',
  'hold.voided': 'void',
  'hold.expired': 'expiry',
};

/**
 * Writes the statement lines of a batch of the outbox's stream. Answers the sequence numbers of
 * records that are no events of the ledger: they are tried again, and parked in the end.
 */
export async function projectEntries(
  records: readonly StreamRecord[],
  world: Needs,
): Promise<readonly string[]> {
  const lines: StatementLine[] = [];
  const failed: string[] = [];
  for (const { item, sequenceNumber } of records) {
    try {
      lines.push(...linesOfEvent(toEvent(item)));
    } catch (error) {
      failed.push(sequenceNumber);
      world.log.error('statement.bad-record', { sequenceNumber, error });
    }
  }
  await saveLines(world, lines);
  world.log.info('statement.batch', {
    events: records.length,
    lines: lines.length,
    failed: failed.length,
  });
  return failed;
}

/** The statement lines of an event of the ledger. Throws when it is none. */
export function linesOfEvent(event: OutboxEvent): StatementLine[] {
  const data = EventData.parse(JSON.parse(event.data));
  const { tenantId, occurredAtMs: atMs, type: eventType } = event;
  const { reference } = data.transaction ?? data;
  const entries = data.entries.map(toEntry);
  if (eventType === 'transaction.posted' && data.type !== undefined) {
    const what = { type: data.type, transactionId: data.id };
    return linesOf({ tenantId, atMs, reference, entries, ...what });
  }
  const type = HOLD_ENTRIES[eventType];
  if (type === undefined) throw new Error(`${eventType} is no event of the ledger`);
  // A hold that is told of later, by its journal, has the transaction that captured it; one that is
  // told of at once may not show it yet.
  const captureId = data.transaction?.id ?? data.transactionId;
  const transactionId = type === 'capture' ? captureId : undefined;
  const what = { type, transactionId, holdId: data.id };
  return linesOf({ tenantId, atMs, reference, entries, ...what });
}

function toEntry({
  seq,
  balanceAfter,
  availableAfter,
  ...entry
}: z.output<typeof EntryData>): Entry {
  if (seq === undefined) return entry;
  if (balanceAfter === undefined || availableAfter === undefined) {
    throw new Error('an entry with a seq has both balances');
  }
  return { ...entry, standing: { seq, balanceAfter, availableAfter } };
}
