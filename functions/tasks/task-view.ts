import type { OutboxEvent } from '../events/event.ts';
import { exactJson } from '../shared/http/strict-json.ts';
import { toInstant } from '../shared/wire.ts';
import type { Task, TaskAction } from './task.ts';

/** The task as the API shows it, each number of its action as it was written. */
export function taskView(task: Task) {
  return { ...viewWithoutAction(task), action: actionView(task.action) };
}

function viewWithoutAction(task: Task) {
  const { eventId, transactionId, problem } = task;
  const isEnded = task.state === 'fired' || task.state === 'failed';
  return {
    id: task.id,
    object: 'task' as const,
    state: task.state,
    dueAt: toInstant(task.dueMs),
    createdAt: toInstant(task.createdAtMs),
    firedAt: optionalInstant(task.firedAtMs),
    cancelledAt: optionalInstant(task.cancelledAtMs),
    failedAt: optionalInstant(task.failedAtMs),
    metadata: task.metadata,
    result: isEnded ? { eventId, transactionId, problem: problemView(problem) } : undefined,
  };
}

function actionView(action: TaskAction) {
  if (action.type === 'event') {
    const { type, eventType, data } = action;
    return { type, eventType, data: exactJson(data) };
  }
  const transaction = exactJson(action.transaction) as Record<string, unknown>;
  return { type: action.type, transaction };
}

function problemView(problem: Task['problem']) {
  return problem && { ...problem, errors: problem.errors && [...problem.errors] };
}

function optionalInstant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toInstant(ms);
}

/** The event `task.fired` or `task.failed` of a transaction task that has ended. */
export function taskEnded(task: Task & Required<Pick<Task, 'eventId'>>): OutboxEvent {
  const { eventId, firedAtMs, failedAtMs = firedAtMs } = task;
  if (!eventId || failedAtMs === undefined) throw new Error(`${task.id} has not ended`);
  return {
    id: eventId,
    tenantId: task.tenantId,
    type: `task.${task.state}`,
    occurredAtMs: failedAtMs,
    data: JSON.stringify({ ...viewWithoutAction(task), type: task.action.type }),
    traceparent: task.traceparent,
    hops: task.hops,
  };
}
