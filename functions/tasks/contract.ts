import * as z from 'zod';
import { isReservedType } from '../events/event.ts';
import { TransactionOrder } from '../ledger/transaction.contract.ts';
import { defineRoute, type EventTypes } from '../shared/http/route.ts';
import {
  DelaySeconds,
  DueAt,
  EventType,
  Instant,
  id,
  Metadata,
  ONE_DUE_FAULT,
  PageQuery,
  pageOf,
} from '../shared/wire.ts';
import { TASK_STATES } from './task.ts';

const EventActionBody = z.strictObject({
  type: z.literal('event'),
  eventType: EventType.refine((it) => !isReservedType(it), 'is a type of Tallyhook itself'),
  // As in an event of one's own: its text goes out as it came.
  data: z
    .unknown()
    .refine((it) => it !== undefined)
    .meta({ description: 'Any JSON. Delivered byte for byte. At most 64 KB.' }),
});

const TransactionActionBody = z.strictObject({
  type: z.literal('transaction'),
  transaction: TransactionOrder,
});

const ActionBody = z
  .discriminatedUnion('type', [EventActionBody, TransactionActionBody])
  .meta({ description: 'An event needs the scope events:write too, a transaction ledger:write.' });

const due = {
  dueAt: DueAt.optional().meta({ description: 'Up to five years ahead.' }),
  delaySeconds: DelaySeconds.optional(),
};

const isOneDue = (it: { dueAt?: unknown; delaySeconds?: unknown }) =>
  it.dueAt === undefined || it.delaySeconds === undefined;

const CreateTaskBody = z
  .strictObject({ ...due, action: ActionBody, metadata: Metadata.optional() })
  .refine(
    (it) => isOneDue(it) && (it.dueAt !== undefined || it.delaySeconds !== undefined),
    ONE_DUE_FAULT,
  );

const UpdateTaskBody = z
  .strictObject({ ...due, action: ActionBody.optional() })
  .refine(isOneDue, ONE_DUE_FAULT)
  .refine((it) => Object.keys(it).length > 0, 'must change something');

const TaskProblem = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z
    .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
    .optional(),
});

const Result = z.object({
  eventId: id('evt').optional().meta({ description: 'The event that it sent.' }),
  transactionId: id('txn').optional(),
  problem: TaskProblem.optional().meta({ description: 'Why its transaction was refused.' }),
});

const times = {
  dueAt: z.string(),
  createdAt: z.string(),
  firedAt: z.string().optional(),
  cancelledAt: z.string().optional(),
  failedAt: z.string().optional(),
};

const Action = z.union([
  z.object({ type: z.literal('event'), eventType: z.string(), data: z.unknown() }),
  z.object({ type: z.literal('transaction'), transaction: z.record(z.string(), z.unknown()) }),
]);

const Task = z
  .object({
    id: id('tsk'),
    object: z.literal('task'),
    state: z.enum(TASK_STATES),
    ...times,
    action: Action.meta({ description: 'As it was asked for.' }),
    metadata: Metadata.optional(),
    result: Result.optional(),
  })
  .meta({ id: 'Task' });

export const createTaskRoute = defineRoute({
  method: 'POST',
  path: '/v1/tasks',
  summary: 'Send an event or post a transaction at a time',
  access: 'tasks:write',
  idempotencyKey: 'accepted',
  movesMoney: true,
  body: CreateTaskBody,
  reply: { status: 201, schema: Task },
  refusals: [
    'idempotency_key_reused',
    'forbidden_scope',
    'invalid_due_time',
    'payload_too_large',
    'busy',
  ],
});

export const listTasksRoute = defineRoute({
  method: 'GET',
  path: '/v1/tasks',
  summary:
    'Tasks of one state by their due time: scheduled ones soonest first, others latest first',
  access: 'tasks:read',
  query: z.strictObject({
    ...PageQuery,
    state: z.enum(TASK_STATES).default('scheduled'),
    type: z
      .enum(['event', 'transaction'])
      .optional()
      .meta({ description: 'With it a page may be short before the end.' }),
    dueFrom: Instant.optional().meta({ description: 'Inclusive.' }),
    dueTo: Instant.optional().meta({ description: 'Exclusive.' }),
  }),
  reply: { status: 200, schema: pageOf(Task) },
  refusals: ['invalid_cursor'],
});

export const getTaskRoute = defineRoute({
  method: 'GET',
  path: '/v1/tasks/{id}',
  summary: 'One task',
  access: 'tasks:read',
  params: z.object({ id: id('tsk') }),
  reply: { status: 200, schema: Task },
  refusals: ['not_found'],
});

const ended = ['not_found', 'task_already_fired', 'task_cancelled'] as const;

export const updateTaskRoute = defineRoute({
  method: 'PATCH',
  path: '/v1/tasks/{id}',
  summary: 'Move a task to another time, or change what it does',
  access: 'tasks:write',
  movesMoney: true,
  params: z.object({ id: id('tsk') }),
  body: UpdateTaskBody,
  reply: { status: 200, schema: Task },
  refusals: [...ended, 'forbidden_scope', 'invalid_due_time', 'payload_too_large', 'busy'],
});

export const cancelTaskRoute = defineRoute({
  method: 'DELETE',
  path: '/v1/tasks/{id}',
  summary: 'Cancel a task: after the answer it never fires',
  access: 'tasks:write',
  params: z.object({ id: id('tsk') }),
  reply: { status: 200, schema: Task },
  refusals: ['not_found', 'task_already_fired', 'busy'],
});

export const taskRoutes = [
  createTaskRoute,
  listTasksRoute,
  getTaskRoute,
  updateTaskRoute,
  cancelTaskRoute,
];

const TaskData = Task.omit({ action: true })
  .extend({ type: z.literal('transaction') })
  .meta({ id: 'TaskData' });

/** What the room tells of, beside the events that its tasks send. */
export const taskEventTypes: EventTypes = {
  'task.fired': { summary: 'A task has posted its transaction', data: TaskData },
  'task.failed': { summary: 'The transaction of a task was refused', data: TaskData },
};
