import * as z from 'zod';
import type { EventTypes } from '../shared/http/route.ts';
import { id } from '../shared/wire.ts';
import { DeliveryId, deliveryRoutes } from './delivery.contract.ts';
import { changeRoutes, endpointRoutes, testRoutes } from './endpoint.contract.ts';
import { healthRoutes } from './health.contract.ts';
import { replayRoutes } from './replay.contract.ts';

/** The routes of the room, by the function that answers them. */
export const webhookRoutesOf = {
  'webhooks/api': endpointRoutes,
  'webhooks/change-api': changeRoutes,
  'webhooks/delivery-api': [...deliveryRoutes, ...healthRoutes],
  'webhooks/replay-api': replayRoutes,
  'webhooks/test-api': testRoutes,
} as const;

/** Every route of the room. */
export const webhookRoutes = Object.values(webhookRoutesOf).flat();

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
  'endpoint.failing': {
    summary: 'Nothing has reached an endpoint for a day, or for three',
    data: z.object({ endpointId: id('end'), days: z.int(), failureStreak: z.int() }),
  },
  'endpoint.disabled': {
    summary: 'An endpoint was disabled: its receiver is gone, or failed for five days',
    data: z.object({ endpointId: id('end'), reason: z.enum(['gone', 'failing']) }),
  },
  'endpoint.test': {
    summary: 'Somebody tests an endpoint; there is no such event, and no second attempt',
    data: z.object({ endpointId: id('end') }),
  },
};
