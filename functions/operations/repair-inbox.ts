import { repairOne } from '../audit/repair-one.ts';
import { eventKey, insertEvent } from '../events/event.store.ts';
import { correctBacklog, toBacklog } from '../inbox/backlog.store.ts';
import { findWholeBody } from '../inbox/body.store.ts';
import { toReceipt } from '../inbox/receipt.store.ts';
import { isOpen, type Receipt } from '../inbox/receipt.ts';
import { needsBody, receivedEvent } from '../inbox/received-event.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { DAY_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import type { TableRepair } from './repair-due.ts';

type Needs = Pick<World, 'clock' | 'db'>;

const EVENT_AGE_MAX_MS = 29 * DAY_MS;

/**
 * Holds each receipt against the outbox: makes the event of one that has gone on again, the same,
 * and tells of those that are open though they have gone on, because they will once more. Counts
 * anew how many are open.
 */
export async function repairInbox(world: Needs, repair: TableRepair): Promise<void> {
  const open = new Map<string, Receipt>();
  const counted = new Map<string, number>();
  for await (const items of repair.scan('inbox')) {
    for (const item of items) {
      const backlog = toBacklog(item);
      if (backlog) counted.set(backlog.counter, backlog.open);
      const receipt = readReceipt(item);
      if (receipt && isOpen(receipt)) open.set(receipt.id, receipt);
      else if (receipt) await repairEvent(world, receipt, repair);
    }
  }
  if (open.size > 0) await tellForwarded(open, repair);
  await repairBacklogs(world, { open, counted }, repair);
}

/** Those that cannot be read are told of with their `due`. */
function readReceipt(item: Item): Receipt | undefined {
  if (!String(item.id).startsWith('rcp_')) return undefined;
  try {
    return toReceipt(item);
  } catch {
    return undefined;
  }
}

async function repairEvent(world: Needs, receipt: Receipt, repair: TableRepair): Promise<void> {
  const { clock, db } = world;
  const { tenantId, id, eventId, tries } = receipt;
  if (eventId === undefined || clock.nowMs() - timeOfId(eventId) >= EVENT_AGE_MAX_MS) return;
  if (await db.get('outbox', eventKey(tenantId, eventId))) return;
  const isWanted = needsBody(receipt);
  const body = isWanted ? (receipt.body ?? (await findWholeBody(db, receipt))) : undefined;
  if (isWanted && !body) {
    const detail = `${eventId}, as which it went on, is lost, and its body`;
    return repair.lost({ id, detail });
  }
  const nowMs = tries.at(-1)?.endedAtMs ?? timeOfId(eventId);
  const writes = [insertEvent(receivedEvent(receipt, body, { eventId, nowMs }))];
  await repairOne(world, repair, { what: 'event of a webhook', id: eventId, writes });
}

/** An event of an open receipt, unless it is of before a replay: that one names another. */
async function tellForwarded(
  open: ReadonlyMap<string, Receipt>,
  repair: TableRepair,
): Promise<void> {
  const types = new Set([...open.values()].map((it) => it.forwardAs));
  for await (const items of repair.scan('outbox')) {
    for (const { id, tenant, type, data } of items) {
      if (!types.has(String(type))) continue;
      const { receiptId, replayOf } = Object(JSON.parse(String(data)));
      const receipt = open.get(receiptId);
      if (receipt?.tenantId !== tenant || receipt?.replayOf !== replayOf) continue;
      const detail = `it is open, and ${id} is of it: it goes on again, as another event`;
      repair.lost({ id: receiptId, detail });
    }
  }
}

interface Counts {
  readonly open: ReadonlyMap<string, Receipt>;
  /** By counter, as stored. */
  readonly counted: ReadonlyMap<string, number>;
}

async function repairBacklogs(world: Needs, { open, counted }: Counts, repair: TableRepair) {
  const counts = new Map([...counted.keys()].map((it) => [it, 0]));
  for (const { counter } of open.values()) {
    if (counter !== undefined) counts.set(counter, (counts.get(counter) ?? 0) + 1);
  }
  for (const [counter, count] of counts) {
    const was = counted.get(counter);
    if (count === was) continue;
    const writes = [correctBacklog(counter, count, was)];
    await repairOne(world, repair, { what: 'backlog', id: counter, writes });
  }
}
