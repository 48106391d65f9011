import { insertEvent } from '../events/event.store.ts';
import { Overtaken, postTransaction } from '../ledger/post-transaction.ts';
import { TransactionOrder } from '../ledger/transaction.contract.ts';
import { draftTransaction } from '../ledger/transaction-draft.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { isRetryable, Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { type End, endWithEvent, noteEnd } from './end-task.ts';
import { aLittleLaterMs, sendAgain } from './send-again.ts';
import type { InTurn } from './take-lane.ts';
import { findTask, saveEnd, toTask } from './task.store.ts';
import { endTask, type Task, type TransactionAction } from './task.ts';
import { type DueTask, EARLY_MS_MAX } from './task-message.ts';
import { taskEnded } from './task-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters' | 'queues'>;

/** Whoever changed the task meanwhile did so for later, or this one reads it again. */
const ROUNDS = 3;

/** What a task has among those of its batch. */
export interface Place {
  /** The task, where it was read with them. */
  readonly read?: Task | undefined;
  /** How it waits for its turn, once it is due. */
  readonly inTurn?: InTurn | undefined;
}

/**
 * Does what a task is there for when it is due, never before, and once: what it does and its end
 * are one commit. Whoever cancelled or moved it first has won. Where others or an outage are in the
 * way, the same message comes again.
 */
export async function fireTask(
  message: DueTask,
  world: Needs,
  { read, inTurn = (_task, act) => act() }: Place = {},
): Promise<void> {
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const task = await awaitTask(message, world, round === 0 ? read : undefined);
      if (!task || (await inTurn(task, () => fire(task, world)))) return;
    }
    throw new Problem('busy');
  } catch (error) {
    if (!(error instanceof Problem) || !isRetryable(error.code)) throw error;
    if (!(await sendAgain([message], aLittleLaterMs(world), world))) throw error;
  }
}

/** The task when it is due; undefined where there is nothing to do, or not yet. */
async function awaitTask(
  message: DueTask,
  world: Needs,
  read: Task | undefined,
): Promise<Task | undefined> {
  const task = read ?? (await readTask(message, world));
  if (task?.state !== 'scheduled') return undefined;
  const aheadMs = task.dueMs - world.clock.nowMs();
  if (aheadMs > EARLY_MS_MAX) {
    // It was moved, and has another message, or the clock of whoever sent this one is fast.
    const isItsTime = task.dueMs === message.dueMs;
    if (isItsTime && !(await sendAgain([message], task.dueMs, world))) throw new Problem('busy');
    return undefined;
  }
  if (aheadMs > 0) await world.clock.sleep(aheadMs);
  return task;
}

async function readTask({ pk }: DueTask, { db }: Needs): Promise<Task | undefined> {
  const item = await db.get('tasks', { pk, sk: '#' });
  return item && toTask(item);
}

/** Whether that was its end; else somebody has changed it since it was read. */
async function fire(task: Task, world: Needs): Promise<boolean> {
  const { action } = task;
  if (action.type === 'transaction') return post(task, action, world);
  return end(endWithEvent(task, action, world), world);
}

async function end({ ended, writes }: End, world: Needs): Promise<boolean> {
  const commit = await commitDespiteConflicts(world, writes);
  if (commit.ok) noteEnd(ended, world);
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
  const { tenantId, traceparent, hops, version } = task;
  const id = deriveId('txn', tenantId, 'task', task.id, String(version));
  const order = TransactionOrder.parse(JSON.parse(transaction));
  const draft = draftTransaction(order, { id, tenantId, traceparent, hops });
  const nowMs = world.clock.nowMs();
  const eventId = world.ids.next('evt');
  const ended = { ...endTask(task, { state: 'fired', transactionId: id }, nowMs), eventId };
  try {
    await postTransaction(world, draft, {
      also: [saveEnd(ended, nowMs), insertEvent(taskEnded(ended))],
      stillHolds: async () => isStill(task, await findTask(world.db, tenantId, task.id)),
    });
    noteEnd(ended, world);
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
  const writes = [saveEnd(ended, nowMs), insertEvent(taskEnded(ended))];
  return end({ ended, writes }, world);
}
