import * as z from 'zod';
import { isReservedType } from '../events/event.ts';
import { defineRoute } from '../shared/http/route.ts';
import { EventType, id, messageText, PageQuery, pageOf, text } from '../shared/wire.ts';
import { AttemptError } from './attempt.contract.ts';
import { headerFaults } from './custom-headers.ts';
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

const OnUnknown = z.enum(['resend', 'stop']);

const FileDefaults = z.strictObject({
  message: messageText().exactOptional(),
  idColumn: z.union([text(1, 200), z.int().min(1).max(65_536)]).exactOptional(),
  eventType: EventType.refine(
    (it) => it === 'alert' || !isReservedType(it),
    'is a type of Tallyhook itself',
  ).exactOptional(),
  ratePerSecond: RateLimit.shape.perSecond.exactOptional(),
  onMalformed: z.enum(['ask', 'skip', 'fail']).exactOptional(),
  onUnknown: OnUnknown.exactOptional(),
});

/** Names in lower case. Each fault is told at the header that has it. */
const Headers = z
  .record(z.string(), z.string())
  .superRefine((given, context) => {
    for (const { name, message } of headerFaults(given)) {
      context.addIssue({ code: 'custom', message, path: name === undefined ? [] : [name] });
    }
  })
  .transform((given) =>
    Object.fromEntries(Object.entries(given).map(([name, it]) => [name.toLowerCase(), it])),
  )
  .meta({ description: 'Sent with every attempt. Write-only: only their names are shown.' });

const EndpointStatus = z.enum(['active', 'paused', 'disabled']);

/** Types and `prefix.*` filters. */
export const EventFilters = z.array(EventFilter).min(1).max(100);
const Description = text(0, 500);
const TimeoutSeconds = z.number().min(1).max(15);

const CreateEndpointBody = z.strictObject({
  url: text(1, 2_048),
  eventTypes: EventFilters.optional(),
  description: Description.optional(),
  status: EndpointStatus.default('active'),
  rateLimit: RateLimit.optional(),
  retry: Retry.prefault({}),
  timeoutSeconds: TimeoutSeconds.default(10),
  onUnknown: OnUnknown.default('resend'),
  headers: Headers.optional(),
  fileDefaults: FileDefaults.optional(),
  secret: Secret.optional(),
});

/** What is absent stays; null takes away what an endpoint need not have. */
const UpdateEndpointBody = z.strictObject({
  url: text(1, 2_048).optional(),
  eventTypes: EventFilters.nullish().meta({ description: 'null: all of them.' }),
  description: Description.nullish(),
  status: EndpointStatus.optional(),
  rateLimit: RateLimit.nullish(),
  retry: Retry.nullish().meta({ description: 'Replaced as a whole; null: the default.' }),
  timeoutSeconds: TimeoutSeconds.optional(),
  onUnknown: OnUnknown.optional(),
  headers: Headers.nullish().meta({ description: 'Replaced as a whole; null: none.' }),
  fileDefaults: FileDefaults.nullish().meta({ description: 'Replaced as a whole; null: none.' }),
});

const Endpoint = z.object({
  id: id('end'),
  object: z.literal('endpoint'),
  url: z.string(),
  eventTypes: z.array(z.string()).optional(),
  description: z.string().optional(),
  status: EndpointStatus,
  disabledReason: z.enum(['by_tenant', 'gone', 'failing']).optional(),
  rateLimit: z.object({ perSecond: z.number() }).optional(),
  retry: z.object({ maxAttempts: z.number(), schedule: z.array(z.number()).optional() }),
  timeoutSeconds: z.number(),
  onUnknown: OnUnknown,
  headerNames: z.array(z.string()),
  fileDefaults: FileDefaults.optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
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
  refusals: ['url_not_allowed', 'limit_exceeded', 'idempotency_key_reused', 'conflict', 'busy'],
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

export const updateEndpointRoute = defineRoute({
  method: 'PATCH',
  path: '/v1/endpoints/{id}',
  summary: 'Change an endpoint, pause it, disable it or make it active again',
  access: 'webhooks:write',
  params: EndpointParams,
  body: UpdateEndpointBody,
  reply: { status: 200, schema: Endpoint },
  refusals: ['not_found', 'url_not_allowed', 'busy'],
});

export const deleteEndpointRoute = defineRoute({
  method: 'DELETE',
  path: '/v1/endpoints/{id}',
  summary: 'Delete an endpoint; what is open is cancelled, a retry when it is due',
  access: 'webhooks:write',
  params: EndpointParams,
  reply: {
    status: 200,
    schema: z.object({ id: id('end'), object: z.literal('endpoint'), deleted: z.literal(true) }),
  },
  refusals: ['not_found', 'busy'],
});

const WEEK_SECONDS = 7 * DAY_SECONDS;

export const rotateSecretRoute = defineRoute({
  method: 'POST',
  path: '/v1/endpoints/{id}/secret/rotate',
  summary: 'Give an endpoint a new signing secret',
  access: 'webhooks:write',
  idempotencyKey: 'accepted',
  params: EndpointParams,
  mayLackBody: true,
  body: z.strictObject({
    graceSeconds: z.int().min(0).max(WEEK_SECONDS).default(DAY_SECONDS).meta({
      description: 'So long webhooks are signed with the older secrets, too; 0 ends them at once.',
    }),
    secret: Secret.optional(),
  }),
  reply: { status: 200, schema: z.object({ secret: z.string() }) },
  refusals: ['not_found', 'idempotency_key_reused', 'busy'],
});

export const testEndpointRoute = defineRoute({
  method: 'POST',
  path: '/v1/endpoints/{id}/test',
  summary: 'Send a test webhook at once and tell how it went',
  access: 'webhooks:write',
  params: EndpointParams,
  reply: {
    status: 200,
    schema: z.object({
      outcome: z.enum(['delivered', 'failed', 'unknown']),
      status: z.int().optional().meta({ description: 'Of what the receiver answered.' }),
      ms: z.int(),
      error: AttemptError.optional(),
    }),
  },
  refusals: ['not_found', 'busy'],
});

/** What `webhooks/api` answers. */
export const endpointRoutes = [
  createEndpointRoute,
  listEndpointsRoute,
  getEndpointRoute,
  getEndpointSecretRoute,
  rotateSecretRoute,
];

/** What `webhooks/change-api` answers: what a release follows, as a rule. */
export const changeRoutes = [updateEndpointRoute, deleteEndpointRoute];

/** What `webhooks/test-api` answers: a function of its own, because it waits for receivers. */
export const testRoutes = [testEndpointRoute];
