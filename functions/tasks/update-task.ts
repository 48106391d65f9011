import { type DailyEvents, takeDay } from '../events/take-day.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { draftAction } from './action-draft.ts';
import { changeTask } from './change-task.ts';
import { updateTaskRoute } from './contract.ts';
import { remindOfTask } from './remind-of-task.ts';
import { findTask, saveChange } from './task.store.ts';
import { assertDueTime, dueMsOf, endedProblem, type Task, type TaskAction } from './task.ts';
import { taskView } from './task-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'queues'> & DailyEvents;
type UpdateCall = Call<typeof updateTaskRoute>;

/**
 * PATCH /v1/tasks/{id}: one write, or the refusal of a task that has ended. One that is to send an
 * event instead of money counts as an event of this day.
 */
export const updateTask = route(updateTaskRoute, async (call, world: Needs) => {
  const { tenantId, params, body } = call;
  const nowMs = world.clock.nowMs();
  const dueMs = dueMsOf(body, nowMs);
  if (dueMs !== undefined) await judgeDueTime(dueMs, call, world);
  const action = body.action && draftAction(body.action, call);

  const write = saveChange({ tenantId, id: params.id }, { dueMs, action }, nowMs);
  const change = async () => {
    const { task, isChanged } = await changeTask(world, write);
    if (!isChanged) throw endedProblem(task);
    return { task, isNew: true };
  };
  const isEvent = action !== undefined && (await becomesEvent(call, action, world));
  const once = { ...call, count: 1, isRepeated: async () => false };
  const { task } = isEvent ? await takeDay(world, once, change) : await change();
  // Also of one that stays: whoever was about to fire it has lost against this change.
  await remindOfTask(task, world);
  return { body: taskView(task) };
});

/** What nobody has is not found, whatever is wanted of it. */
async function judgeDueTime(
  dueMs: number,
  { tenantId, params }: UpdateCall,
  { clock, db }: Pick<Needs, 'clock' | 'db'>,
): Promise<void> {
  try {
    assertDueTime(dueMs, clock.nowMs());
  } catch (error) {
    const task = await findTask(db, tenantId, params.id);
    throw task ? error : new Problem('not_found');
  }
}

/** Asked only where events are counted. */
async function becomesEvent(
  { tenantId, params, dailyEvents }: UpdateCall,
  action: TaskAction,
  { db }: Pick<Needs, 'db'>,
): Promise<boolean> {
  if (dailyEvents === undefined || action.type !== 'event') return false;
  const before: Task | undefined = await findTask(db, tenantId, params.id);
  return before?.action.type === 'transaction';
}
