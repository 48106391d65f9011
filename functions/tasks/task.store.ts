import * as z from 'zod';
import { FORM, known, readEach } from '../shared/form.ts';
import { shardOf } from '../shared/ids/derive.ts';
import { PROBLEMS, type ProblemCode } from '../shared/problem.ts';
import { setFields } from '../shared/set-fields.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, World, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import { TASK_STATES, type Task, type TaskAction, type TaskState } from './task.ts';

/** Over how many partitions of the index one state of a tenant's tasks is spread. */
export const LISTING_SHARDS = 8;

const Problem = z.object({
  code: z.custom<ProblemCode>((it) => typeof it === 'string' && it in PROBLEMS),
  detail: z.string(),
  errors: z
    .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
    .optional(),
});

const TaskItem = z.object({
  id: z.templateLiteral(['tsk_', z.string()]),
  tenant: z.string(),
  state: z.enum(TASK_STATES),
  dueMs: z.int(),
  ver: z.int(),
  eventType: z.string().optional(),
  data: z.string().optional(),
  order: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  ts: z.int(),
  firedAt: z.int().optional(),
  cancelledAt: z.int().optional(),
  failedAt: z.int().optional(),
  event: z.templateLiteral(['evt_', z.string()]).optional(),
  transaction: z.templateLiteral(['txn_', z.string()]).optional(),
  problem: Problem.optional(),
  traceparent: z.string().optional(),
  hops: z.int().optional(),
  fp: z.string().optional(),
});

/** Where a task lies. */
export function taskKey(tenantId: string, taskId: string): Key {
  return { pk: `${tenantId}#${taskId}`, sk: '#' };
}

/** The partition of the index `listing` with one share of a tenant's tasks of one state. */
export function taskListing(tenantId: string, state: TaskState, shard: number): string {
  return `${tenantId}#${state}#${shard}`;
}

/** Refused when the id is taken: another request with the same Idempotency-Key was first. */
export function insertTask(task: Task): Write {
  const key = taskKey(task.tenantId, task.id);
  return {
    kind: 'put',
    table: 'tasks',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...key,
      v: 1,
      id: task.id,
      tenant: task.tenantId,
      state: task.state,
      dueMs: task.dueMs,
      ver: task.version,
      ...actionFields(task.action),
      metadata: task.metadata,
      ts: task.createdAtMs,
      traceparent: task.traceparent,
      hops: task.hops,
      fp: task.fingerprint,
      listingPk: listingOf(task),
      listingSk: placeOf(task),
      ...dueAttributes(key, task.dueMs, task.createdAtMs),
    },
  };
}

/** What a change of a scheduled task may say. */
export interface TaskChange {
  readonly dueMs?: number | undefined;
  readonly action?: TaskAction | undefined;
}

type TaskName = Pick<Task, 'tenantId' | 'id'>;

/**
 * Refused when the task is not scheduled any more. Answers the task as it is then. It raises the
 * version, so that nobody fires what was decided on before.
 */
export function saveChange(name: TaskName, { dueMs, action }: TaskChange, nowMs: number): Write {
  const moved = dueMs === undefined ? {} : moveFields(name, dueMs, nowMs);
  return ifScheduled(name, { ...moved, ...(action && actionFields(action)) });
}

function moveFields({ tenantId, id }: TaskName, dueMs: number, nowMs: number) {
  const due = dueAttributes(taskKey(tenantId, id), dueMs, nowMs);
  return { dueMs, ...due, listingSk: placeOf({ id, dueMs }) };
}

/** Refused when the task is not scheduled any more. Answers the task as it is then. */
export function saveCancelled(name: TaskName, nowMs: number): Write {
  const listingPk = listingOf({ ...name, state: 'cancelled' });
  const off = { duePk: undefined, dueSk: undefined };
  return ifScheduled(name, { state: 'cancelled', cancelledAt: nowMs, listingPk, ...off });
}

function ifScheduled(name: TaskName, fields: Readonly<Record<string, unknown>>): Write {
  const { update, names, values } = setFields(fields);
  return {
    kind: 'update',
    table: 'tasks',
    key: taskKey(name.tenantId, name.id),
    update: `${update} ADD ver :one`,
    // What a later release has written in another form is left as it is.
    condition: '#state = :scheduled AND (attribute_not_exists(v) OR v <= :form)',
    names: { ...names, '#state': 'state' },
    values: { ...values, ':one': 1, ':scheduled': 'scheduled', ':form': FORM },
    answersItem: true,
  };
}

/**
 * Stores how a task ended: `ended` is the task after it. Refused unless the task is as it was when
 * that was decided, and due by the clock of whoever decided.
 */
export function saveEnd(ended: Task, nowMs: number): Write {
  const { update, names, values } = setFields({
    state: ended.state,
    firedAt: ended.firedAtMs,
    failedAt: ended.failedAtMs,
    event: ended.eventId,
    transaction: ended.transactionId,
    problem: ended.problem,
    ver: ended.version,
    listingPk: listingOf(ended),
    duePk: undefined,
    dueSk: undefined,
  });
  return {
    kind: 'update',
    table: 'tasks',
    key: taskKey(ended.tenantId, ended.id),
    update,
    condition: '#state = :scheduled AND ver = :before AND dueMs <= :now',
    names,
    values: { ...values, ':scheduled': 'scheduled', ':before': ended.version - 1, ':now': nowMs },
  };
}

/** All of them, so that a change from one kind to the other leaves nothing behind. */
function actionFields(action: TaskAction) {
  return action.type === 'event'
    ? { eventType: action.eventType, data: action.data, order: undefined }
    : { eventType: undefined, data: undefined, order: action.transaction };
}

function listingOf({ tenantId, state, id }: Pick<Task, 'tenantId' | 'state' | 'id'>): string {
  return taskListing(tenantId, state, shardOf(id, LISTING_SHARDS));
}

function placeOf({ id, dueMs }: Pick<Task, 'id' | 'dueMs'>): string {
  return `${sortableMs(dueMs)}#${id}`;
}

/** The task in a stored item. */
export function toTask(item: Item): Task {
  const stored = TaskItem.parse(known(item));
  return {
    id: stored.id,
    tenantId: stored.tenant,
    state: stored.state,
    dueMs: stored.dueMs,
    version: stored.ver,
    action: toAction(stored),
    metadata: stored.metadata,
    createdAtMs: stored.ts,
    firedAtMs: stored.firedAt,
    cancelledAtMs: stored.cancelledAt,
    failedAtMs: stored.failedAt,
    eventId: stored.event,
    transactionId: stored.transaction,
    problem: stored.problem,
    traceparent: stored.traceparent,
    hops: stored.hops,
    fingerprint: stored.fp,
  };
}

function toAction({ id, eventType, data, order }: z.output<typeof TaskItem>): TaskAction {
  if (eventType !== undefined && data !== undefined) return { type: 'event', eventType, data };
  if (order !== undefined) return { type: 'transaction', transaction: order };
  throw new Error(`${id} has no action`);
}

/** Undefined when the tenant has no such task. */
export async function findTask(
  db: Pick<Db, 'get'>,
  tenantId: string,
  taskId: string,
): Promise<Task | undefined> {
  const item = await db.get('tasks', taskKey(tenantId, taskId));
  return item && toTask(item);
}

/** The tasks behind the keys of a list, by id. Left out is what cannot be read. */
export async function findTasks(
  { db, log }: Pick<World, 'db' | 'log'>,
  keys: readonly Item[],
): Promise<ReadonlyMap<string, Task>> {
  const items = await db.getAll(
    keys.map(({ pk }) => ({ table: 'tasks', pk: String(pk), sk: '#' })),
  );
  const tasks = readEach(items, toTask, { log }).flatMap((it) => it ?? []);
  return new Map(tasks.map((it) => [it.id, it]));
}
