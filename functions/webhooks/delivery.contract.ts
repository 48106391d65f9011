import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id, PageQuery, pageOf } from '../shared/wire.ts';
import { Attempt } from './attempt.contract.ts';

/**
 * What a list can be asked for by status alone: what waits or needs somebody's attention, and is on
 * an index for that. Of the others there are as many as there are deliveries, or hardly any.
 */
const OpenStatus = z.enum(['waiting', 'retrying', 'held', 'exhausted', 'uncertain', 'expired']);

const DeliveryStatus = z.enum([
  'pending',
  'inflight',
  'delivered',
  'cancelled',
  ...OpenStatus.options,
]);

/** A delivery's id: the endpoint's part and the event's part. */
export const DeliveryId = z.string().regex(/^dlv_([0-7][0-9A-HJKMNP-TV-Z]{25}){2}$/);

/** A delivery as its tenant sees it. */
export const Delivery = z.object({
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
    status: StatusList.optional().meta({
      description:
        'One status, or several: `held,expired`. Pending ones of an event only. Without ' +
        `endpointId and eventId it must be of ${OpenStatus.options.join(', ')}; then up to 50 ` +
        'endpoints, divided by the number of statuses, are looked at together, the newest event ' +
        'first, and then the next: a page may be short, or empty.',
    }),
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
  refusals: ['not_found', 'not_retryable', 'busy'],
});

/** What `webhooks/delivery-api` answers. */
export const deliveryRoutes = [listDeliveriesRoute, getDeliveryRoute, retryDeliveryRoute];
