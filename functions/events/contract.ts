import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { EventType, Instant, id, PageQuery, pageOf, TOO_LONG_FAULT, text } from '../shared/wire.ts';
import { DELIVERY_STATES, isReservedType } from './event.ts';

// Any JSON there is: its text goes out as it came, so nobody looks at what is in it.
const Data = z
  .unknown()
  .refine((it) => it !== undefined)
  .meta({ description: 'Any JSON. Delivered byte for byte. At most 64 KB.' });

const OwnEvent = z.strictObject({
  type: EventType.refine((it) => !isReservedType(it), 'is a type of Tallyhook itself'),
  data: Data,
  occurredAt: Instant.optional().meta({ description: 'The timestamp on the wire; default: now.' }),
  endpointId: id('end').optional().meta({ description: 'Goes to this endpoint only.' }),
});

const Event = z.object({
  id: id('evt'),
  object: z.literal('event'),
  type: z.string(),
  occurredAt: z.string(),
  createdAt: z.string(),
  endpointId: id('end').optional(),
});

export const createEventRoute = defineRoute({
  method: 'POST',
  path: '/v1/events',
  summary: 'Send an event of your own to every endpoint that wants it',
  access: 'events:write',
  idempotencyKey: 'accepted',
  body: OwnEvent,
  reply: { status: 202, schema: Event },
  refusals: ['idempotency_key_reused', 'payload_too_large', 'not_found', 'busy'],
});

/** One transaction of DynamoDB. */
const BATCH_MAX = 100;

export const createEventBatchRoute = defineRoute({
  method: 'POST',
  path: '/v1/events/batch',
  summary: 'Send up to 100 events of your own: all are stored or none',
  access: 'events:write',
  idempotencyKey: 'accepted',
  body: z.strictObject({ events: z.array(OwnEvent).min(1).max(BATCH_MAX, TOO_LONG_FAULT) }),
  bodyKbMax: 1_024,
  reply: { status: 202, schema: z.object({ data: z.array(Event) }) },
  refusals: ['idempotency_key_reused', 'payload_too_large', 'not_found', 'conflict', 'busy'],
});

/** As in a file. */
const USER_ID_BYTES_MAX = 256;
/** Longer ones are refused for their length already. */
const isShort = (id: string) => Buffer.byteLength(id) <= USER_ID_BYTES_MAX;

export const createAlertRoute = defineRoute({
  method: 'POST',
  path: '/v1/alerts',
  summary: 'Alert one user, as a file alerts many: the one who was missed',
  access: 'events:write',
  idempotencyKey: 'accepted',
  body: z.strictObject({
    endpointId: id('end'),
    userId: text(1, USER_ID_BYTES_MAX)
      .refine((it) => it.length > USER_ID_BYTES_MAX || isShort(it), 'is above 256 bytes')
      .meta({ description: 'Goes out exactly as it is. At most 256 bytes.' }),
    message: text(1, 1_000)
      .refine((it) => !it.includes('{{'), 'holds {{, and a single alert has no columns')
      .optional(),
  }),
  reply: { status: 202, schema: Event },
  refusals: ['idempotency_key_reused', 'not_found', 'busy'],
});

const ReadEvent = Event.extend({
  data: z.unknown().meta({ description: 'As it was sent, each number as it was written.' }),
  relayedAt: z
    .string()
    .optional()
    .meta({ description: 'When each endpoint that wanted it got its delivery.' }),
});

const DeliveryState = z.object({
  deliveryId: z
    .string()
    .optional()
    .meta({ description: 'Read it for the attempts. A missing delivery has none.' }),
  endpointId: id('end'),
  status: z.enum(DELIVERY_STATES).meta({
    description:
      'pending: not begun; missing: the endpoint wants such events and did not get this one, ' +
      'because it was disabled or had another filter then.',
  }),
  attempts: z.int().meta({ description: 'How many were made.' }),
  nextAt: z.string().optional(),
});

const TypeFilter = z
  .string()
  .max(100)
  .regex(
    /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$/,
    'must be lower-case words joined by dots, and may end in .*',
  );

export const listEventsRoute = defineRoute({
  method: 'GET',
  path: '/v1/events',
  summary: 'Events, newest first, those of Tallyhook itself included',
  access: 'events:read',
  query: z.strictObject({
    ...PageQuery,
    type: TypeFilter.optional().meta({ description: 'One type, or all below: `order.*`.' }),
    from: Instant.optional().meta({ description: 'Of `createdAt`; inclusive.' }),
    to: Instant.optional().meta({ description: 'Of `createdAt`; exclusive.' }),
  }),
  reply: { status: 200, schema: pageOf(ReadEvent) },
  refusals: ['invalid_cursor'],
});

export const getEventRoute = defineRoute({
  method: 'GET',
  path: '/v1/events/{id}',
  summary: 'One event, and where its deliveries stand',
  access: 'events:read',
  params: z.object({ id: id('evt') }),
  reply: {
    status: 200,
    schema: ReadEvent.extend({ deliveries: z.array(DeliveryState) }),
  },
  refusals: ['not_found'],
});

export const eventRoutes = [
  createEventRoute,
  createEventBatchRoute,
  createAlertRoute,
  listEventsRoute,
  getEventRoute,
];
