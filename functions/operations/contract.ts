import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { Instant, text } from '../shared/wire.ts';
import { PARKED_NAMES } from './dead-letter.ts';

export const healthRoute = defineRoute({
  method: 'GET',
  path: '/health',
  summary: 'Whether the API answers',
  access: 'public',
  reply: {
    status: 200,
    schema: z.object({ status: z.literal('ok'), build: z.string(), time: z.string() }),
  },
});

export const readyRoute = defineRoute({
  method: 'GET',
  path: '/ready',
  summary: 'Whether what the API needs works, and nothing waits for minutes; 503 if not',
  access: 'public',
  reply: {
    status: 200,
    otherStatuses: [503],
    schema: z.object({
      status: z.enum(['ready', 'degraded']),
      time: z.string().meta({ description: 'When it was looked at, up to five seconds ago.' }),
      checks: z.array(
        z.object({
          name: z.enum(['database', 'queues', 'relay', 'sweeper']),
          status: z.enum(['ok', 'late', 'failed']),
          since: z.string().optional().meta({
            description: 'The minute since which events are not relayed, or nobody sweeps.',
          }),
          backlog: z.record(z.string(), z.int()).optional().meta({
            description: 'Messages whose time has come, about, where none may wait for minutes.',
          }),
        }),
      ),
    }),
  },
});

/** What no other route matches: API Gateway's own answers are not problem+json. */
export const unmatchedRoute = defineRoute({
  method: 'GET',
  path: '$default',
  summary: 'Answers 404, or 405 with Allow',
  access: 'public',
  reply: { status: 404, schema: z.never() },
  refusals: ['not_found', 'method_not_allowed'],
});

export const operationsRoutes = [healthRoute];

const QueueName = z.enum(PARKED_NAMES).meta({
  description:
    'Each queue has dead letters; `unrelayed` and `unprojected` are those of the event stream.',
});

const DeadLetter = z.object({
  id: z.string(),
  object: z.literal('dead_letter'),
  queue: QueueName,
  sentAt: z.string().meta({ description: 'When it was sent, or last moved back.' }),
  receives: z.int().meta({ description: 'How often it was looked at here, this time included.' }),
  reason: z.string().optional().meta({
    description: '`not_json`, or the condition under which the stream gave it up.',
  }),
  body: z.string().meta({
    description: 'Its text, cut at 2 KB, without the data of events: that belongs to a tenant.',
  }),
});

const Move = z.object({
  status: z.enum(['running', 'completed', 'cancelling', 'cancelled', 'failed']),
  startedAt: z.string(),
  moved: z.int(),
  total: z.int().optional(),
  error: z.string().optional(),
});

const DeadLetterQueue = z.object({
  object: z.literal('dead_letter_queue'),
  queue: QueueName,
  depth: z.int().meta({ description: 'About how many dead letters there are.' }),
  redrivable: z.boolean().meta({ description: 'Whether they can be moved back to a queue.' }),
  redrive: Move.optional().meta({ description: 'The latest move back.' }),
  messages: z.array(DeadLetter).meta({ description: 'Up to ten of them.' }),
});

export const listDeadLettersRoute = defineRoute({
  method: 'GET',
  path: '/v1/admin/dead-letters',
  summary: 'What our own code could not handle, by queue',
  access: 'admin',
  query: z.strictObject({ queue: QueueName.optional() }),
  reply: { status: 200, schema: z.object({ data: z.array(DeadLetterQueue) }) },
});

/** The highest rate that SQS takes. */
const PER_SECOND_MAX = 500;

export const redriveDeadLettersRoute = defineRoute({
  method: 'POST',
  path: '/v1/admin/dead-letters/redrive',
  summary: 'Move the dead letters of a queue back to it; handled ones do nothing there',
  access: 'admin',
  body: z.strictObject({
    queue: QueueName,
    ratePerSecond: z.int().min(1).max(PER_SECOND_MAX).optional().meta({
      description: 'As fast as SQS can if absent.',
    }),
  }),
  reply: { status: 202, schema: DeadLetterQueue },
  refusals: ['not_available', 'conflict'],
});

export const dropDeadLetterRoute = defineRoute({
  method: 'POST',
  path: '/v1/admin/dead-letters/drop',
  summary: 'Delete one dead letter, or those of before a time, for good; the reason is logged',
  access: 'admin',
  body: z
    .strictObject({
      queue: QueueName,
      messageId: text(1, 100).optional(),
      sentBefore: Instant.optional().meta({
        description: 'Those that were sent before it, of a thousand: ask again until none is left.',
      }),
      reason: text(1, 500),
    })
    .refine(
      (it) => (it.messageId === undefined) !== (it.sentBefore === undefined),
      'must name either a messageId or a sentBefore',
    ),
  reply: {
    status: 200,
    schema: z.object({
      object: z.literal('dropped_dead_letter'),
      queue: QueueName,
      messageId: z.string().optional(),
      sentBefore: z.string().optional(),
      dropped: z.int().optional().meta({ description: 'How many, where a time was named.' }),
      reason: z.string(),
      droppedAt: z.string(),
    }),
  },
  refusals: ['not_found'],
});

export const getMetricsRoute = defineRoute({
  method: 'GET',
  path: '/metrics',
  summary: 'What all instances have counted, for Prometheus',
  access: 'admin',
  reply: {
    status: 200,
    schema: z.string(),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  },
});

/** Routes of the operator and their monitors, which have a function of their own. */
export const adminRoutes = [
  readyRoute,
  listDeadLettersRoute,
  redriveDeadLettersRoute,
  dropDeadLetterRoute,
  getMetricsRoute,
];
