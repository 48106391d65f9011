import { type DailyEvents, takeDay } from '../events/take-day.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { draftAction } from './action-draft.ts';
import { createTaskRoute } from './contract.ts';
import { remindOfTask } from './remind-of-task.ts';
import { findTask, insertTask, toTask } from './task.store.ts';
import { assertDueTime, dueMsOf, type Task } from './task.ts';
import { taskView } from './task-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'queues'> & DailyEvents;
type TaskCall = Call<typeof createTaskRoute>;

/**
 * POST /v1/tasks: one write. A task that sends an event counts as one of the day on which it is
 * made. A repetition is answered with the task as it is now.
 */
export const createTask = route(createTaskRoute, async (call, world: Needs) => {
  const task = draftTask(call, world);
  const find = () => findTask(world.db, task.tenantId, task.id);
  const earlier = call.idempotency && (await find());
  if (earlier) return replay(earlier, task, world);
  assertDueTime(task.dueMs, task.createdAtMs);
  const { dailyEvents } = task.action.type === 'event' ? call : {};
  const isRepeated = async () => (await find()) !== undefined;
  const asked = { tenantId: task.tenantId, dailyEvents, count: 1, isRepeated };
  return takeDay(world, asked, () => store(task, world));
});

function draftTask(call: TaskCall, { clock, ids }: Needs): Task {
  const { tenantId, idempotency, body, traceparent, hops } = call;
  const nowMs = clock.nowMs();
  return {
    id: creationId('tsk', { tenantId, scope: 'tasks', idempotency }, ids),
    tenantId,
    state: 'scheduled',
    // The schema has seen to it that there is one of the two.
    dueMs: dueMsOf(body, nowMs) ?? nowMs,
    version: 1,
    action: draftAction(body.action, call),
    metadata: body.metadata,
    createdAtMs: nowMs,
    traceparent,
    hops: hops || undefined,
    fingerprint: idempotency?.fingerprint,
  };
}

async function store(task: Task, world: Needs) {
  const commit = await commitDespiteConflicts(world, [insertTask(task)]);
  if (commit.ok) {
    await remindOfTask(task, world);
    return { body: taskView(task), isNew: true };
  }
  const taken = commit.reasons[0]?.item;
  if (!taken) throw new Error('a task was refused by something else than its key');
  // Without a key nobody else can have made it: the answer to our own first try got lost.
  const isNew = task.fingerprint === undefined;
  return { ...(await replay(toTask(taken), task, world)), isNew };
}

async function replay(earlier: Task, task: Task, world: Needs) {
  assertSameRequest(earlier, task);
  // Perhaps the message of the first request was never sent, and one more is harmless.
  if (earlier.state === 'scheduled') await remindOfTask(earlier, world);
  return { body: taskView(earlier), replayed: task.fingerprint !== undefined };
}
