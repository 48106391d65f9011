import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id } from '../shared/wire.ts';
import { Attempt } from './attempt.contract.ts';
import { DeliveryId } from './delivery.contract.ts';

const EndpointHealth = z.object({
  object: z.literal('endpoint_health'),
  endpointId: id('end'),
  breaker: z.enum(['closed', 'open', 'half_open']),
  failureStreak: z.int().meta({ description: 'Failed attempts in a row.' }),
  openedAt: z.string().optional(),
  nextProbeAt: z.string().optional(),
  ratePerSecond: z
    .number()
    .optional()
    .meta({ description: 'What goes out at most: the limit, or less after refusals.' }),
  blockedUntil: z
    .string()
    .optional()
    .meta({ description: 'So long the receiver wants to be left alone.' }),
  waiting: z.int().meta({ description: 'Sends that have a slot ahead, or wait for one.' }),
  held: z.int().meta({ description: 'Deliveries behind the closed endpoint or its open breaker.' }),
  drainedAt: z.string().optional().meta({ description: 'When the last of them goes.' }),
  lastAttempts: z.array(Attempt.extend({ deliveryId: DeliveryId })).meta({
    description: 'The newest first; at most ten. Of the newest events, and of what waits longest.',
  }),
});

export const getEndpointHealthRoute = defineRoute({
  method: 'GET',
  path: '/v1/endpoints/{id}/health',
  summary: 'How an endpoint does, and what waits for it',
  access: 'webhooks:read',
  params: z.object({ id: id('end') }),
  reply: { status: 200, schema: EndpointHealth },
  refusals: ['not_found'],
});

/** Answered by `webhooks/delivery-api`, because it looks at deliveries. */
export const healthRoutes = [getEndpointHealthRoute];
