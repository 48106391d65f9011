import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { draftAction } from './action-draft.ts';
import { changeTask } from './change-task.ts';
import { updateTaskRoute } from './contract.ts';
import { remindOfTask } from './remind-of-task.ts';
import { saveChange } from './task.store.ts';
import { assertDueTime, dueMsOf, endedProblem } from './task.ts';
import { taskView } from './task-view.ts';

/** PATCH /v1/tasks/{id}: one write, or the refusal of a task that has ended. */
export const updateTask = route(
  updateTaskRoute,
  async (call, world: Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'queues'>) => {
    const { tenantId, params, body } = call;
    const nowMs = world.clock.nowMs();
    const dueMs = dueMsOf(body, nowMs);
    if (dueMs !== undefined) assertDueTime(dueMs, nowMs);
    const action = body.action && draftAction(body.action, call);

    const change = saveChange({ tenantId, id: params.id }, { dueMs, action }, nowMs);
    const { task, isChanged } = await changeTask(world, change);
    if (!isChanged) throw endedProblem(task);
    if (dueMs !== undefined) await remindOfTask(task, world);
    return { body: taskView(task) };
  },
);
