import { Problem, type ProblemCode, type ProblemError } from '../shared/problem.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../shared/units.ts';

/** All but the first are final. */
export const TASK_STATES = ['scheduled', 'fired', 'cancelled', 'failed'] as const;

export type TaskState = (typeof TASK_STATES)[number];

/** An event of the tenant's own that is sent when the task is due. */
export interface EventAction {
  readonly type: 'event';
  readonly eventType: string;
  /** The payload as JSON text, delivered byte for byte. */
  readonly data: string;
}

/** A transaction that is posted when the task is due. */
export interface TransactionAction {
  readonly type: 'transaction';
  /** As JSON text, as it was asked for. */
  readonly transaction: string;
}

export type TaskAction = EventAction | TransactionAction;

/** Why a task has failed: the refusal of its transaction. */
export interface TaskProblem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly ProblemError[] | undefined;
}

/** What is to happen at a time, once. */
export interface Task {
  readonly id: `tsk_${string}`;
  readonly tenantId: string;
  readonly state: TaskState;
  readonly dueMs: number;
  /** Rises with each change, so that what was decided on an older one is seen. */
  readonly version: number;
  readonly action: TaskAction;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly createdAtMs: number;
  readonly firedAtMs?: number | undefined;
  readonly cancelledAtMs?: number | undefined;
  readonly failedAtMs?: number | undefined;
  /** The event that it sent, or that tells of its end. */
  readonly eventId?: `evt_${string}` | undefined;
  readonly transactionId?: `txn_${string}` | undefined;
  readonly problem?: TaskProblem | undefined;
  readonly traceparent?: string | undefined;
  /** How many webhooks in a row have led to it; absent for none. */
  readonly hops?: number | undefined;
  readonly fingerprint?: string | undefined;
}

/** How a task ends when it is due. */
export type Ending = Pick<Task, 'eventId'> &
  (
    | { readonly state: 'fired'; readonly transactionId?: Task['transactionId'] }
    | { readonly state: 'failed'; readonly problem: TaskProblem }
  );

/** The same task after its end. */
export function endTask(task: Task, ending: Ending, nowMs: number): Task {
  const at = ending.state === 'fired' ? { firedAtMs: nowMs } : { failedAtMs: nowMs };
  return { ...task, ...ending, ...at, version: task.version + 1 };
}

const LATE_MS_MAX = MINUTE_MS;
/** Five years of 365 days, like the longest `delaySeconds`. */
const AHEAD_MS_MAX = 5 * 365 * DAY_MS;

/** When a task is due, as a request says it: exactly one of the two. */
export interface DueWish {
  readonly dueAt?: number | undefined;
  readonly delaySeconds?: number | undefined;
}

/** Undefined when the request says nothing of it. */
export function dueMsOf({ dueAt, delaySeconds }: DueWish, nowMs: number): number | undefined {
  return delaySeconds === undefined ? dueAt : nowMs + delaySeconds * SECOND_MS;
}

/** Refuses with `invalid_due_time` what was due over a minute ago, or is over five years ahead. */
export function assertDueTime(dueMs: number, nowMs: number): void {
  const isPast = dueMs < nowMs - LATE_MS_MAX;
  if (!isPast && dueMs <= nowMs + AHEAD_MS_MAX) return;
  const detail = isPast ? 'is more than a minute ago' : 'is more than five years ahead';
  throw new Problem('invalid_due_time', {
    detail: `/dueAt: ${detail}`,
    errors: [{ pointer: '/dueAt', code: 'invalid_due_time', detail }],
  });
}

/** Why a task that has ended cannot be changed. */
export function endedProblem({ id, state }: Pick<Task, 'id' | 'state'>): Problem {
  if (state === 'cancelled')
    return new Problem('task_cancelled', { detail: `${id} is cancelled.` });
  return new Problem('task_already_fired', { detail: `${id} has ${state} already.` });
}
