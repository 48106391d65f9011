import { insertEvent } from '../events/event.store.ts';
import { Overtaken, postTransaction } from '../ledger/post-transaction.ts';
import { TransactionOrder } from '../ledger/transaction.contract.ts';
import { draftTransaction } from '../ledger/transaction-draft.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { isRetryable, Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findTask, saveEnd, toTask } from './task.store.ts';
import { type EventAction, endTask, type Task, type TransactionAction } from './task.ts';
import { type TaskMessage, taskMessage } from './task-message.ts';
import { taskEnded } from './task-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'queues'>;

/** A message may come early by the part of a second that it cannot carry, and one more. */
const EARLY_MS_MAX = 3 * SECOND_MS;
const BUSY_MS = { min: SECOND_MS, max: 5 * SECOND_MS };

/**
 * Does what a task is there for when it is due, never before, and once: what it does and its end
 * are one commit. Whoever cancelled or moved it first has won. Where others are in the way, the
 * same message comes again.
 */
export async function fireTask(message: TaskMessage, world: Needs): Promise<void> {
  const { clock, db } = world;
  const item = await db.get('tasks', { pk: message.pk, sk: '#' });
  const task = item && toTask(item);
  if (task?.state !== 'scheduled') return;
  const aheadMs = task.dueMs - clock.nowMs();
  // It was moved, or a clock is wrong: another message comes when it is due.
  if (aheadMs > EARLY_MS_MAX) return;
  if (aheadMs > 0) await clock.sleep(aheadMs);
  try {
    await fire(task, world);
  } catch (error) {
    const isBusy = error instanceof Problem && error.code === 'busy';
    if (!isBusy) throw error;
    await sendAgain(message, world);
  }
}

async function fire(task: Task, world: Needs): Promise<void> {
  const { action } = task;
  if (action.type === 'event') await sendEvent(task, action, world);
  else await post(task, action, world);
}

/** The tenant's own event and the end of the task. */
async function sendEvent(task: Task, { eventType, data }: EventAction, world: Needs) {
  const nowMs = world.clock.nowMs();
  const eventId = world.ids.next('evt');
  const { tenantId, traceparent, hops } = task;
  const occurredAtMs = nowMs;
  const event = { id: eventId, tenantId, type: eventType, occurredAtMs, data, traceparent, hops };
  const ended = endTask(task, { state: 'fired', eventId }, nowMs);
  const commit = await commitDespiteConflicts(world, [saveEnd(ended, nowMs), insertEvent(event)]);
  if (commit.ok) tell(ended, world);
}

/**
 * The transaction and the end of the task. Its id is derived from the task, in a scope that no
 * Idempotency-Key can reach, and from its version: what was refused once is tried anew after a
 * change.
 */
async function post(task: Task, { transaction }: TransactionAction, world: Needs): Promise<void> {
  const { tenantId, traceparent, version } = task;
  const id = deriveId('txn', tenantId, 'task', task.id, String(version));
  const order = TransactionOrder.parse(JSON.parse(transaction));
  const draft = draftTransaction(order, { id, tenantId, traceparent });
  const nowMs = world.clock.nowMs();
  const eventId = world.ids.next('evt');
  const ended = { ...endTask(task, { state: 'fired', transactionId: id }, nowMs), eventId };
  try {
    await postTransaction(world, draft, {
      also: [saveEnd(ended, nowMs), insertEvent(taskEnded(ended))],
      stillHolds: async () => isStill(task, await findTask(world.db, tenantId, task.id)),
    });
    tell(ended, world);
  } catch (error) {
    if (error instanceof Overtaken) return;
    if (!(error instanceof Problem) || isRetryable(error.code)) throw error;
    await fail(task, error, world);
  }
}

function isStill({ version }: Task, now: Task | undefined): boolean {
  return now?.state === 'scheduled' && now.version === version;
}

/** The refusal is the end of the task, and is told. */
async function fail(task: Task, { code, message, facts }: Problem, world: Needs): Promise<void> {
  const nowMs = world.clock.nowMs();
  const problem = { code, detail: message, errors: facts.errors };
  const eventId = world.ids.next('evt');
  const ended = { ...endTask(task, { state: 'failed', problem }, nowMs), eventId };
  const writes = [saveEnd(ended, nowMs), insertEvent(taskEnded(ended))];
  const commit = await commitDespiteConflicts(world, writes);
  if (commit.ok) tell(ended, world);
}

function tell({ tenantId, id: taskId, state, dueMs, action }: Task, { clock, log }: Needs): void {
  const lateMs = clock.nowMs() - dueMs;
  log.info('task.ended', { tenantId, taskId, state, type: action.type, lateMs });
}

/** Not by failing: a message that fails often ends among the dead letters. */
async function sendAgain(message: TaskMessage, { clock, ids, queues }: Needs): Promise<void> {
  const waitMs = BUSY_MS.min + ids.random() * (BUSY_MS.max - BUSY_MS.min);
  await queues.send('tasks', [taskMessage(message, clock.nowMs() + waitMs)]);
}
