import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { EventType, Instant, id, TOO_LONG_FAULT } from '../shared/wire.ts';
import { isReservedType } from './event.ts';

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

export const eventRoutes = [createEventRoute, createEventBatchRoute];
