import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { EventType, Instant, id } from '../shared/wire.ts';
import { isReservedType } from './event.ts';

const CreateEventBody = z.strictObject({
  type: EventType.refine((it) => !isReservedType(it), 'is a type of Tallyhook itself'),
  data: z.json().meta({ id: 'Json', description: 'Delivered byte for byte. At most 64 KB.' }),
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
  body: CreateEventBody,
  reply: { status: 202, schema: Event },
  refusals: ['idempotency_key_reused', 'payload_too_large', 'not_found'],
});

export const eventRoutes = [createEventRoute];
