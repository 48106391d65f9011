import { insertEvent } from '../events/event.store.ts';
import { Overtaken, postTransaction } from '../ledger/post-transaction.ts';
import { TransactionOrder } from '../ledger/transaction.contract.ts';
import { draftTransaction } from '../ledger/transaction-draft.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { isRetryable, Problem } from '../shared/problem.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type End, endWithEvent, noteEnd } from './end-task.ts';
import { findTask, saveEnd, toTask } from './task.store.ts';
import { endTask, type Task, type TransactionAction } from './task.ts';
import { type DueTask, EARLY_MS_MAX, taskMessage } from './task-message.ts';
import { taskEnded } from './task-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters' | 'queues'>;

const BUSY_MS = { min: SECOND_MS, max: 5 * SECOND_MS };
/** Quota of DelaySeconds. */
const DELAY_MS_MAX = 15 * MINUTE_MS;

/** Whoever changed the task meanwhile did so for later, or this one reads it again. */
const ROUNDS = 3;

/**
 * Does what a task is there for when it is due, never before, and once: what it does and its end
 * are one commit. Whoever cancelled or moved it first has won. Where others or an outage are in the
 * way, the same message comes again.
 */
export async function fireTask(message: DueTask, world: Needs): Promise<void> {
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const task = await awaitTask(message, world);
      if (!task || (await fire(task, world))) return;
    }
    throw new Problem('busy');
  } catch (error) {
    if (!(error instanceof Problem) || !isRetryable(error.code)) throw error;
    const waitMs = BUSY_MS.min + world.ids.random() * (BUSY_MS.max - BUSY_MS.min);
    const isSent = await sendAgain(message, world.clock.nowMs() + waitMs, world);
    if (!isSent) throw error;
  }
}

/** The task when it is due; undefined where there is nothing to do, or not yet. */
async function awaitTask(message: DueTask, world: Needs): Promise<Task | undefined> {
  const { clock, db } = world;
  const item = await db.get('tasks', { pk: message.pk, sk: '#' });
  const task = item && toTask(item);
  if (task?.state !== 'scheduled') return undefined;
  const aheadMs = task.dueMs - clock.nowMs();
  if (aheadMs > EARLY_MS_MAX) {
    // It was moved, and has another message, or the clock of whoever sent this one is fast.
    const isItsTime = task.dueMs === message.dueMs;
    if (isItsTime && !(await sendAgain(message, task.dueMs, world))) throw new Problem('busy');
    return undefined;
  }
  if (aheadMs > 0) await clock.sleep(aheadMs);
  return task;
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

/**
 * Not by failing: a message that fails often ends among the dead letters. False where the queue did
 * not take it.
 */
async function sendAgain(
  message: DueTask,
  atMs: number,
  { clock, queues }: Needs,
): Promise<boolean> {
  const again = taskMessage(message, Math.min(atMs, clock.nowMs() + DELAY_MS_MAX));
  const refused = await queues.send('tasks', [again]).catch(() => [0]);
  return refused.length === 0;
}
