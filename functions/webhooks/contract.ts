import * as z from 'zod';
import { defineRoute, type EventTypes } from '../shared/http/route.ts';
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

/** What a list can be asked for by status alone: each of these needs somebody's attention. */
const OpenStatus = z.enum(['retrying', 'held', 'exhausted', 'uncertain', 'expired']);

const DeliveryStatus = z.enum([
  'pending',
  'waiting',
  'inflight',
  'delivered',
  'cancelled',
  ...OpenStatus.options,
]);

/** The endpoint's part and the event's part. */
const DeliveryId = z.string().regex(/^dlv_([0-7][0-9A-HJKMNP-TV-Z]{25}){2}$/);

const Attempt = z.object({
  n: z.number(),
  at: z.string(),
  outcome: z.enum(['delivered', 'failed', 'unknown']),
  status: z.number().optional(),
  ms: z.number().optional(),
  error: z.string().optional(),
  nextAt: z.string().optional(),
  possibleDuplicate: z.boolean().optional(),
  response: z.string().optional(),
});

const Delivery = z.object({
  id: DeliveryId,
  object: z.literal('delivery'),
  endpointId: id('end'),
  eventId: id('evt'),
  eventType: z.string(),
  status: DeliveryStatus,
  attempts: z.array(Attempt),
  nextAt: z.string().optional(),
  reason: z.string().optional(),
  fileId: id('fil').optional(),
  createdAt: z.string(),
});

function isOpen(status: string): boolean {
  return OpenStatus.safeParse(status).success;
}

const StatusList = z
  .string()
  .transform((it) => [...new Set(it.split(','))])
  .pipe(z.array(DeliveryStatus).min(1));

const ListDeliveriesQuery = z
  .strictObject({
    ...PageQuery,
    endpointId: id('end').optional(),
    eventId: id('evt').optional(),
    status: StatusList.optional().meta({ description: 'One status, or several: `held,expired`.' }),
  })
  .refine(
    ({ endpointId, eventId, status }) =>
      endpointId !== undefined || eventId !== undefined || status?.every(isOpen),
    { path: ['status'], message: `alone must be of ${OpenStatus.options.join(', ')}` },
  )
  .refine(({ eventId, status }) => eventId !== undefined || !status?.includes('pending'), {
    path: ['status'],
    message: 'can be pending only with an eventId, because nothing is stored of it',
  });

export const listDeliveriesRoute = defineRoute({
  method: 'GET',
  path: '/v1/deliveries',
  summary: 'Deliveries of an endpoint, of an event, or by status, newest first',
  access: 'webhooks:read',
  query: ListDeliveriesQuery,
  reply: { status: 200, schema: pageOf(Delivery) },
  refusals: ['invalid_cursor'],
});

export const getDeliveryRoute = defineRoute({
  method: 'GET',
  path: '/v1/deliveries/{id}',
  summary: 'One delivery with its attempts',
  access: 'webhooks:read',
  params: z.object({ id: DeliveryId }),
  reply: { status: 200, schema: Delivery },
  refusals: ['not_found'],
});

export const retryDeliveryRoute = defineRoute({
  method: 'POST',
  path: '/v1/deliveries/{id}/retry',
  summary: 'Send a delivery again at once',
  access: 'webhooks:write',
  params: z.object({ id: DeliveryId }),
  query: z.strictObject({
    force: z
      .enum(['true', 'false'])
      .default('false')
      .transform((it) => it === 'true'),
  }),
  reply: { status: 202, schema: Delivery },
  refusals: ['not_found', 'not_retryable'],
});

export const webhookRoutes = [
  createEndpointRoute,
  listEndpointsRoute,
  getEndpointRoute,
  getEndpointSecretRoute,
  listDeliveriesRoute,
  getDeliveryRoute,
  retryDeliveryRoute,
];

/** What the room tells of. */
export const webhookEventTypes: EventTypes = {
  'delivery.exhausted': {
    summary: 'Every attempt of a delivery has failed',
    data: z.object({
      deliveryId: DeliveryId,
      endpointId: id('end'),
      eventId: id('evt'),
      eventType: z.string(),
      attempts: z.int(),
      reason: z.string().optional(),
    }),
  },
};
