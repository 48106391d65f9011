import { repairOne } from '../audit/repair-one.ts';
import { eventKey, findEvents, insertEvent, LISTING_SHARDS } from '../events/event.store.ts';
import type { OutboxEvent, RelayedEvent } from '../events/event.ts';
import { journalKey, toTransaction } from '../ledger/transaction.store.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { pagesOf } from '../shared/page.ts';
import { DAY_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import { saveEnd, toTask } from '../tasks/task.store.ts';
import { endTask, type Task } from '../tasks/task.ts';
import { taskEnded } from '../tasks/task-view.ts';
import type { TableRepair } from './repair-due.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

const EVENT_AGE_MAX_MS = 29 * DAY_MS;

/**
 * Holds each task against the outbox and the journal: makes the event of one that has fired again,
 * and the end of one whose transaction is posted. It tells of what was posted and is lost, and of
 * tasks that look as if they had fired, because nobody can know that.
 */
export async function repairTasks(world: Needs, repair: TableRepair): Promise<void> {
  for await (const items of repair.scan('tasks')) {
    for (const item of items) {
      const task = readTask(item);
      if (!task) continue;
      if (task.state === 'scheduled') await repairScheduled(world, task, repair);
      else if (task.eventId !== undefined) await repairEnded(world, task, repair);
    }
  }
}

/** Those that cannot be read are told of with their `due`. */
function readTask(item: Item): Task | undefined {
  try {
    return toTask(item);
  } catch {
    return undefined;
  }
}

async function repairEnded(world: Needs, task: Task, repair: TableRepair): Promise<void> {
  const { clock, db } = world;
  const { tenantId, id, eventId, transactionId } = task;
  if (transactionId !== undefined) {
    const record = await db.get('ledger', journalKey(tenantId, transactionId));
    if (!record) {
      repair.lost({ id, detail: `it has fired, and ${transactionId}, which it posted, is lost` });
    }
  }
  if (eventId === undefined || clock.nowMs() - timeOfId(eventId) >= EVENT_AGE_MAX_MS) return;
  if (await db.get('outbox', eventKey(tenantId, eventId))) return;
  const writes = [insertEvent(eventOf({ ...task, eventId }))];
  await repairOne(world, repair, { what: 'event of a task', id: eventId, writes });
}

/** The event of a task that has ended: its own, or the one that tells of it. */
function eventOf(task: Task & Required<Pick<Task, 'eventId'>>): OutboxEvent {
  const { action, tenantId, traceparent, hops, eventId, firedAtMs, state } = task;
  if (action.type !== 'event' || state !== 'fired' || !eventId || firedAtMs === undefined) {
    return taskEnded(task);
  }
  const { eventType: type, data } = action;
  return { id: eventId, tenantId, type, occurredAtMs: firedAtMs, data, traceparent, hops };
}

async function repairScheduled(world: Needs, task: Task, repair: TableRepair): Promise<void> {
  const { tenantId, id, action, dueMs, version } = task;
  if (dueMs > world.clock.nowMs()) return;
  if (action.type === 'event') {
    const twin = await findTold(world, task, (event) => {
      return event.type === action.eventType && event.data === action.data;
    });
    if (!twin) return;
    const detail = `it is due, and ${twin.id} says the same: it may fire again, unless cancelled`;
    return repair.lost({ id, detail });
  }
  const transactionId = deriveId('txn', tenantId, 'task', id, String(version));
  const record = await world.db.get('ledger', journalKey(tenantId, transactionId));
  if (record?.status !== 'posted') return;
  const told = await findTold(world, task, ({ type, data }) => {
    return type === 'task.fired' && JSON.parse(data).id === id;
  });
  const atMs = toTransaction(record).createdAtMs;
  const eventId = told?.id ?? world.ids.next('evt');
  const ended = { ...endTask(task, { state: 'fired', transactionId }, atMs), eventId };
  const writes = [
    saveEnd(ended, world.clock.nowMs()),
    ...(told ? [] : [insertEvent(eventOf(ended))]),
  ];
  await repairOne(world, repair, { what: 'end of a task', id, writes });
}

/** The newest event since the task was due that says so. */
async function findTold(
  { db }: Pick<Needs, 'db'>,
  { tenantId, dueMs }: Task,
  isIt: (event: RelayedEvent) => boolean,
): Promise<RelayedEvent | undefined> {
  for (let shard = 0; shard < LISTING_SHARDS; shard += 1) {
    const query = { table: 'outbox', index: 'listing', pk: `${tenantId}#${shard}` } as const;
    for await (const items of pagesOf(db, { ...query, newestFirst: true, limit: 100 })) {
      const ids = items.map((it) => String(it.listingSk)).filter((it) => timeOfId(it) >= dueMs);
      const events = ids.length > 0 ? await findEvents(db, tenantId, ids) : [];
      const found = events.find(isIt);
      if (found) return found;
      // From here on they are older.
      if (ids.length < items.length) break;
    }
  }
  return undefined;
}
