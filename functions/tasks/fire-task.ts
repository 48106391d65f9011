import { insertEvent } from '../events/event.store.ts';
import { Overtaken, postTransaction } from '../ledger/post-transaction.ts';
import { TransactionOrder } from '../ledger/transaction.contract.ts';
import { draftTransaction } from '../ledger/transaction-draft.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { isRetryable, Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import { findTask, saveEnd, toTask } from './task.store.ts';
import { type EventAction, endTask, type Task, type TransactionAction } from './task.ts';
import { type TaskMessage, taskMessage } from './task-message.ts';
import { taskEnded } from './task-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'queues'>;

/** A message may come early by the part of a second that it cannot carry, and one more. */
const EARLY_MS_MAX = 3 * SECOND_MS;
const BUSY_MS = { min: SECOND_MS, max: 5 * SECOND_MS };

/** Whoever changed the task meanwhile did so for later, or this one reads it again. */
const ROUNDS = 3;

/**
 * Does what a task is there for when it is due, never before, and once: what it does and its end
 * are one commit. Whoever cancelled or moved it first has won. Where others or an outage are in the
 * way, the same message comes again.
 */
export async function fireTask(message: TaskMessage, world: Needs): Promise<void> {
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const task = await awaitTask(message, world);
      if (!task || (await fire(task, world))) return;
    }
    throw new Problem('busy');
  } catch (error) {
    if (!(error instanceof Problem) || !isRetryable(error.code)) throw error;
    const isSent = await sendAgain(message, world);
    if (!isSent) throw error;
  }
}

/** The task when it is due; undefined where there is nothing to do, or not yet. */
async function awaitTask(
  { pk }: TaskMessage,
  { clock, db }: Pick<Needs, 'clock' | 'db'>,
): Promise<Task | undefined> {
  const item = await db.get('tasks', { pk, sk: '#' });
  const task = item && toTask(item);
  if (task?.state !== 'scheduled') return undefined;
  const aheadMs = task.dueMs - clock.nowMs();
  // It was moved, or a clock is wrong: another message comes when it is due.
  if (aheadMs > EARLY_MS_MAX) return undefined;
  if (aheadMs > 0) await clock.sleep(aheadMs);
  return task;
}

/** Whether that was its end; else somebody has changed it since it was read. */
async function fire(task: Task, world: Needs): Promise<boolean> {
  const { action } = task;
  return action.type === 'event' ? sendEvent(task, action, world) : post(task, action, world);
}

/** The tenant's own event and the end of the task. */
async function sendEvent(
  task: Task,
  { eventType, data }: EventAction,
  world: Needs,
): Promise<boolean> {
  const nowMs = world.clock.nowMs();
  const eventId = world.ids.next('evt');
  const { tenantId, traceparent, hops } = task;
  const occurredAtMs = nowMs;
  const event = { id: eventId, tenantId, type: eventType, occurredAtMs, data, traceparent, hops };
  const ended = endTask(task, { state: 'fired', eventId }, nowMs);
  return end(ended, [saveEnd(ended, nowMs), insertEvent(event)], world);
}

async function end(ended: Task, writes: readonly Write[], world: Needs): Promise<boolean> {
  const commit = await commitDespiteConflicts(world, writes);
  if (commit.ok) tell(ended, world);
  return commit.ok;
}

/**
 * The transaction and the end of the task. Its id is derived from the task, in a scope that no
 * Idempotency-Key can reach, and from its version: what was refused once is tried anew after a
 * change.
 */
async function post(
  task: Task,
  { transaction }: TransactionAction,
  world: Needs,
): Promise<boolean> {
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
    return true;
  } catch (error) {
    if (error instanceof Overtaken) return false;
    if (!(error instanceof Problem) || isRetryable(error.code)) throw error;
    return fail(task, error, world);
  }
}

function isStill({ version }: Task, now: Task | undefined): boolean {
  return now?.state === 'scheduled' && now.version === version;
}

/** The refusal is the end of the task, and is told. */
async function fail(task: Task, { code, message, facts }: Problem, world: Needs): Promise<boolean> {
  const nowMs = world.clock.nowMs();
  const problem = { code, detail: message, errors: facts.errors };
  const eventId = world.ids.next('evt');
  const ended = { ...endTask(task, { state: 'failed', problem }, nowMs), eventId };
  return end(ended, [saveEnd(ended, nowMs), insertEvent(taskEnded(ended))], world);
}

function tell({ tenantId, id: taskId, state, dueMs, action }: Task, { clock, log }: Needs): void {
  const lateMs = clock.nowMs() - dueMs;
  log.info('task.ended', { tenantId, taskId, state, type: action.type, lateMs });
}

/**
 * Not by failing: a message that fails often ends among the dead letters. False where the queue did
 * not take it.
 */
async function sendAgain(message: TaskMessage, { clock, ids, queues }: Needs): Promise<boolean> {
  const waitMs = BUSY_MS.min + ids.random() * (BUSY_MS.max - BUSY_MS.min);
  const again = taskMessage(message, clock.nowMs() + waitMs);
  const refused = await queues.send('tasks', [again]).catch(() => [0]);
  return refused.length === 0;
}
