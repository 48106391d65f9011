import type { Item } from '../../../functions/shared/world.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * R1 and D1 of the inbox: what is wrong with it, nothing if all is well. A receipt that is
 * completed has its one event, and no event tells of a receipt that does not know it; only what is
 * open is on the index of what is due; each long body is whole; open receipts are counted exactly.
 */
export function checkInbox({ inbox, outbox }: Pick<Snapshot, 'inbox' | 'outbox'>): string[] {
  const receipts = inbox.filter(({ id, sk }) => String(id).startsWith('rcp_') && sk === '#');
  const events = new Map(outbox.map((it) => [String(it.id), it]));
  return [
    ...receipts.flatMap((it) => faultsOf(it, events).map((fault) => `${it.id} ${fault}`)),
    ...receipts.flatMap((it) => bodyFaults(it, inbox)),
    ...eventFaults(receipts, outbox),
    ...countFaults(receipts, inbox),
  ];
}

const isOpen = ({ status }: Item) => status === 'pending' || status === 'processing';

function faultsOf(receipt: Item, events: ReadonlyMap<string, Item>): string[] {
  const faults: string[] = [];
  const { status, event } = receipt;
  if (isOpen(receipt) !== (receipt.duePk !== undefined)) faults.push(`is ${status}, its due not`);
  if (isOpen(receipt) !== (receipt.ttl === undefined)) faults.push(`is ${status}, its end not`);
  if ((status === 'completed') !== (event !== undefined))
    faults.push(`is ${status}, told otherwise`);
  if (event !== undefined && !events.has(String(event))) faults.push('lost its event');
  return faults;
}

function bodyFaults(receipt: Item, inbox: readonly Item[]): string[] {
  if (receipt.body !== undefined) return [];
  const pieces = inbox.filter(
    ({ pk, sk }) => pk === receipt.pk && String(sk).startsWith(`BODY#${receipt.sha}#`),
  );
  const bytes = pieces.reduce((sum, it) => sum + (it.bytes as Uint8Array).length, 0);
  return bytes === receipt.bytes ? [] : [`${receipt.id} has ${bytes} of ${receipt.bytes} bytes`];
}

/** Of the events of one receipt it knows the last; those before it are of before its replays. */
function eventFaults(receipts: readonly Item[], outbox: readonly Item[]): string[] {
  const told = outbox.flatMap(({ id, data }) => {
    const { receiptId } = Object(JSON.parse(String(data)));
    return typeof receiptId === 'string' ? [{ id, receiptId }] : [];
  });
  return receipts.flatMap(({ id, event, replayOf }) => {
    const own = told.filter(({ receiptId }) => receiptId === id).map((it) => it.id);
    const unknown = own.filter((it) => it !== event && it !== replayOf);
    return replayOf === undefined && unknown.length > 0
      ? [`${id} has more events: ${unknown}`]
      : [];
  });
}

function countFaults(receipts: readonly Item[], inbox: readonly Item[]): string[] {
  const counts = new Map<string, number>();
  for (const receipt of receipts.filter(isOpen)) {
    const counter = String(receipt.counter);
    counts.set(counter, (counts.get(counter) ?? 0) + 1);
  }
  return inbox
    .filter(({ sk }) => sk === 'BACKLOG')
    .filter(({ pk, open }) => open !== (counts.get(String(pk)) ?? 0))
    .map(({ pk, open }) => `${pk} counts ${open}, open are ${counts.get(String(pk)) ?? 0}`);
}
