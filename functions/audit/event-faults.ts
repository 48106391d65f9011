import { isDeepStrictEqual } from 'node:util';
import type { OutboxEvent } from '../events/event.ts';
import type { Finding } from './audit.ts';

/** The data of an event of the ledger, as far as an audit reads it. */
export interface EventData extends Partial<Record<(typeof LASTING)[number], unknown>> {
  readonly id?: unknown;
  readonly transactionId?: unknown;
  readonly transaction?: unknown;
  readonly entries?: unknown;
}

/** What a transaction, and a hold, says besides from its beginning on. */
const LASTING = [
  ...(['type', 'accountId', 'amount', 'currency', 'description', 'reference'] as const),
  ...(['metadata', 'effectiveAt', 'expiresAt', 'createdAt'] as const),
] as const;

/** The data of an event; empty when they cannot be read. */
export function dataOf({ data }: Pick<OutboxEvent, 'data'>): EventData {
  try {
    return Object(JSON.parse(data)) as EventData;
  } catch {
    return {};
  }
}

/** O1: a record whose event is not there, or tells of something else. */
export function eventFaults(
  recordId: string,
  told: OutboxEvent,
  stored: OutboxEvent | undefined,
): Finding[] {
  const tell = (detail: string): Finding[] => [{ invariant: 'O1', id: recordId, detail }];
  if (!stored) return tell(`its event ${told.id} is not there`);
  const isSame = isDeepStrictEqual(summaryOf(stored), summaryOf(told));
  return isSame ? [] : tell(`${told.id} tells of something else`);
}

/** What both must say. Later releases may say more. */
function summaryOf(event: OutboxEvent) {
  const data = dataOf(event);
  const { id, transactionId, entries } = data;
  // A hold is told of as it is now, and was not captured when it was created.
  const transaction = event.type === 'hold.captured' ? transactionId : undefined;
  const rows = (Array.isArray(entries) ? entries : []).map((it) => {
    const { accountId, currency, amount, seq, balanceAfter, hash } = Object(it);
    return [accountId, currency, amount, seq, balanceAfter, hash];
  });
  const lasting = [data, Object(data.transaction) as EventData].map((it) =>
    LASTING.map((name) => it[name]),
  );
  return [event.type, id, transaction, rows, ...lasting];
}

/** What an event of the ledger says that it tells of: the id of a transaction, or of a hold. */
export function subjectOf(event: OutboxEvent): string | undefined {
  const { id, transactionId } = dataOf(event);
  const subject = event.type === 'hold.captured' ? transactionId : id;
  return typeof subject === 'string' ? subject : undefined;
}

/** Whether the ledger tells of such things. */
export function isOfLedger(type: unknown): boolean {
  return /^(transaction|hold)\./.test(String(type));
}

/** O1: an event that no record names. `named` is the event of the record that it tells of. */
export function inventedFaults(event: OutboxEvent, named: string | undefined): Finding[] {
  if (named === event.id) return [];
  const subject = subjectOf(event) ?? 'nothing';
  const other = named === undefined ? 'was not posted' : `names ${named}`;
  const detail = `it tells of ${subject}, which ${other}`;
  return [{ invariant: 'O1', id: event.id, detail }];
}
