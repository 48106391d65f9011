import type { World } from '../shared/world.ts';
import { SOON_MS } from '../timers/due.ts';
import { taskKey } from './task.store.ts';
import type { Task } from './task.ts';
import { taskMessage } from './task-message.ts';

/**
 * Sends the message of a task that is due soon. The sweeper finds a task without one too, only
 * later, so that a failure is only noted.
 */
export async function remindOfTask(
  { tenantId, id, dueMs }: Pick<Task, 'tenantId' | 'id' | 'dueMs'>,
  { clock, log, queues }: Pick<World, 'clock' | 'log' | 'queues'>,
): Promise<void> {
  if (dueMs > clock.nowMs() + SOON_MS) return;
  try {
    const refused = await queues.send('tasks', [taskMessage({ ...taskKey(tenantId, id), dueMs })]);
    if (refused.length > 0) log.warn('message.lost', { queue: 'tasks', taskId: id });
  } catch (error) {
    log.warn('message.lost', { queue: 'tasks', taskId: id, error });
  }
}
