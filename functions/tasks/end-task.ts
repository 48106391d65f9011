import { insertEvent } from '../events/event.store.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import { saveEnd } from './task.store.ts';
import { type EventAction, endTask, type Task } from './task.ts';

/** A task at its end, and what has to be stored together for that. */
export interface End {
  readonly ended: Task;
  readonly writes: readonly Write[];
}

/** The end of a task that sends an event of the tenant's own: refused unless it is due. */
export function endWithEvent(
  task: Task,
  { eventType, data }: EventAction,
  { clock, ids }: Pick<World, 'clock' | 'ids'>,
): End {
  const nowMs = clock.nowMs();
  const eventId = ids.next('evt');
  const { tenantId, traceparent, hops } = task;
  const occurredAtMs = nowMs;
  const event = { id: eventId, tenantId, type: eventType, occurredAtMs, data, traceparent, hops };
  const ended = endTask(task, { state: 'fired', eventId }, nowMs);
  return { ended, writes: [saveEnd(ended, nowMs), insertEvent(event)] };
}

/** Notes that a task has ended, and how late. */
export function noteEnd(
  { tenantId, id: taskId, state, dueMs, action, eventId, traceparent }: Task,
  { clock, log, meters }: Pick<World, 'clock' | 'log' | 'meters'>,
): void {
  const lateMs = clock.nowMs() - dueMs;
  meters.count('tallyhook_tasks_total', { state: state === 'failed' ? 'failed' : 'fired' });
  meters.observe('tallyhook_task_lateness_seconds', Math.max(0, lateMs) / SECOND_MS);
  const { type } = action;
  log.info('task.ended', { tenantId, taskId, state, type, eventId, traceparent, lateMs });
}
