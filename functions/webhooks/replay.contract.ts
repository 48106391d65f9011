import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { Instant, id, PageQuery, pageOf } from '../shared/wire.ts';
import { Delivery } from './delivery.contract.ts';
import { EventFilters } from './endpoint.contract.ts';

/** A replay's id: the endpoint's part and its own. */
const ReplayId = z.string().regex(/^rpl_([0-7][0-9A-HJKMNP-TV-Z]{25}){2}$/);

const ReplayedStatus = z.enum(['exhausted', 'uncertain', 'expired', 'missing', 'delivered']);

const CreateReplayBody = z
  .strictObject({
    endpointId: id('end'),
    from: Instant.meta({
      description: 'When the event was accepted, at the earliest: a time in the past.',
    }),
    to: Instant.meta({ description: 'Before this time, and before the request.' }),
    statuses: z
      .array(ReplayedStatus)
      .min(1)
      .max(ReplayedStatus.options.length)
      .default(['exhausted', 'uncertain', 'expired', 'missing']),
    eventTypes: EventFilters.optional(),
    dryRun: z.boolean().default(false).meta({
      description: 'Counts, and sends and stores nothing; an Idempotency-Key is ignored.',
    }),
    rateShare: z
      .number()
      .min(0.01)
      .max(1)
      .default(0.5)
      .meta({ description: 'Of the rate limit of the endpoint; the rest is for new events.' }),
  })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be later than from' });

const Replay = z.object({
  id: ReplayId,
  object: z.literal('replay'),
  endpointId: id('end'),
  status: z.enum(['running', 'done', 'cancelled']),
  from: z.string(),
  to: z.string(),
  statuses: z.array(ReplayedStatus),
  eventTypes: z.array(z.string()).optional(),
  rateShare: z.number(),
  matched: z.number(),
  sent: z.number(),
  createdAt: z.string(),
});

/** What a replay would send, or would have sent: `data` are the first ten of them. */
const DryRun = z.object({
  object: z.literal('dry_run'),
  endpointId: id('end'),
  matched: z.number(),
  hasMore: z.boolean().meta({ description: 'There are more than were counted.' }),
  data: z.array(Delivery),
});

const ReplayParams = z.object({ id: ReplayId });

export const createReplayRoute = defineRoute({
  method: 'POST',
  path: '/v1/replays',
  summary: 'Send deliveries of an endpoint again, also those that never came to be',
  access: 'webhooks:write',
  idempotencyKey: 'accepted',
  body: CreateReplayBody,
  reply: { status: 202, otherStatuses: [200], schema: z.union([Replay, DryRun]) },
  refusals: ['not_found', 'idempotency_key_reused', 'busy'],
});

export const listReplaysRoute = defineRoute({
  method: 'GET',
  path: '/v1/replays',
  summary: 'The replays of an endpoint, newest first',
  access: 'webhooks:read',
  query: z.strictObject({ ...PageQuery, endpointId: id('end') }),
  reply: { status: 200, schema: pageOf(Replay) },
  refusals: ['invalid_cursor'],
});

export const getReplayRoute = defineRoute({
  method: 'GET',
  path: '/v1/replays/{id}',
  summary: 'How far a replay has come',
  access: 'webhooks:read',
  params: ReplayParams,
  reply: { status: 200, schema: Replay },
  refusals: ['not_found'],
});

export const cancelReplayRoute = defineRoute({
  method: 'DELETE',
  path: '/v1/replays/{id}',
  summary: 'Stop a replay: what it has not sent stays as it was',
  access: 'webhooks:write',
  params: ReplayParams,
  reply: { status: 200, schema: Replay },
  refusals: ['not_found', 'busy'],
});

/** The routes of replays. */
export const replayRoutes = [
  createReplayRoute,
  listReplaysRoute,
  getReplayRoute,
  cancelReplayRoute,
];
