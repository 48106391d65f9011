import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id, PageQuery, pageOf, text } from '../shared/wire.ts';
import { ATTEMPTS_DEFAULT } from './schedule.ts';
import { parseSecret } from './signature.ts';

const EventFilter = z
  .string()
  .max(100)
  .regex(
    /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$/,
    'must be lower-case words joined by dots, and may end in .*',
  );

const Secret = z
  .string()
  .refine((it) => parseSecret(it) !== undefined, 'must be whsec_ and base64 of 24 to 64 bytes');

const RateLimit = z.strictObject({ perSecond: z.number().min(0.01).max(5_000) });

const DAY_SECONDS = 86_400;

/** 0, or what a clock of milliseconds can tell from it: a table cannot hold 10^-182 at all. */
const Seconds = z
  .number()
  .min(0)
  .max(DAY_SECONDS)
  .refine((it) => it <= 0 || it >= 0.001, 'must be 0 or at least 0.001');

const Retry = z.strictObject({
  maxAttempts: z.int().min(1).max(30).default(ATTEMPTS_DEFAULT),
  schedule: z
    .array(Seconds)
    .min(1)
    .max(30)
    .optional()
    .meta({ description: 'Seconds after the previous attempt; the last one repeats.' }),
});

const CreateEndpointBody = z.strictObject({
  url: text(1, 2_048),
  eventTypes: z.array(EventFilter).min(1).max(100).optional(),
  description: text(0, 500).optional(),
  rateLimit: RateLimit.optional(),
  retry: Retry.prefault({}),
  timeoutSeconds: z.number().min(1).max(15).default(10),
  onUnknown: z.enum(['resend', 'stop']).default('resend'),
  secret: Secret.optional(),
});

const EndpointStatus = z.enum(['active', 'paused', 'disabled']);

const Endpoint = z.object({
  id: id('end'),
  object: z.literal('endpoint'),
  url: z.string(),
  eventTypes: z.array(z.string()).optional(),
  description: z.string().optional(),
  status: EndpointStatus,
  rateLimit: z.object({ perSecond: z.number() }).optional(),
  retry: z.object({ maxAttempts: z.number(), schedule: z.array(z.number()).optional() }),
  timeoutSeconds: z.number(),
  onUnknown: z.enum(['resend', 'stop']),
  createdAt: z.string(),
});

const EndpointParams = z.object({ id: id('end') });

export const createEndpointRoute = defineRoute({
  method: 'POST',
  path: '/v1/endpoints',
  summary: 'Register a receiver of webhooks',
  access: 'webhooks:write',
  idempotencyKey: 'accepted',
  body: CreateEndpointBody,
  reply: {
    status: 201,
    // Shown once: a replayed creation leaves it out.
    schema: Endpoint.extend({ secret: z.string().optional() }),
  },
  refusals: ['url_not_allowed', 'limit_exceeded', 'idempotency_key_reused'],
});

export const listEndpointsRoute = defineRoute({
  method: 'GET',
  path: '/v1/endpoints',
  summary: 'All endpoints, newest first',
  access: 'webhooks:read',
  query: z.strictObject({ ...PageQuery, status: EndpointStatus.optional() }),
  reply: { status: 200, schema: pageOf(Endpoint) },
  refusals: ['invalid_cursor'],
});

export const getEndpointRoute = defineRoute({
  method: 'GET',
  path: '/v1/endpoints/{id}',
  summary: 'One endpoint',
  access: 'webhooks:read',
  params: EndpointParams,
  reply: { status: 200, schema: Endpoint },
  refusals: ['not_found'],
});

export const getEndpointSecretRoute = defineRoute({
  method: 'GET',
  path: '/v1/endpoints/{id}/secret',
  summary: 'The signing secret of an endpoint',
  access: 'webhooks:write',
  params: EndpointParams,
  reply: { status: 200, schema: z.object({ secret: z.string() }) },
  refusals: ['not_found'],
});

/** What `webhooks/api` answers. */
export const endpointRoutes = [
  createEndpointRoute,
  listEndpointsRoute,
  getEndpointRoute,
  getEndpointSecretRoute,
];
