import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { changeTask } from './change-task.ts';
import { cancelTaskRoute } from './contract.ts';
import { saveCancelled } from './task.store.ts';
import { endedProblem } from './task.ts';
import { taskView } from './task-view.ts';

/** DELETE /v1/tasks/{id}: one write. A task that is cancelled already is answered alike. */
export const cancelTask = route(
  cancelTaskRoute,
  async ({ tenantId, params }, world: Pick<World, 'clock' | 'ids' | 'db'>) => {
    const cancelled = saveCancelled({ tenantId, id: params.id }, world.clock.nowMs());
    const { task, isChanged } = await changeTask(world, cancelled);
    if (!isChanged && task.state !== 'cancelled') throw endedProblem(task);
    return { body: taskView(task) };
  },
);
