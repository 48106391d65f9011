import * as z from 'zod';
import { DELIVERY_STATES } from '../events/event.ts';
import { defineRoute, type EventTypes } from '../shared/http/route.ts';
import { Instant, id, PageQuery, pageOf, text } from '../shared/wire.ts';
import { RECEIPT_STATES } from './receipt.ts';
import { API_SOURCE } from './source.ts';

const ReceiptStatus = z.enum(RECEIPT_STATES);

/** What whoever sends is told of a webhook that was taken in. */
const ReceiptName = z.object({ id: id('rcp'), status: ReceiptStatus });

const SlackChallenge = z.object({
  challenge: z.string().meta({ description: 'What Slack asks for when a URL is entered there.' }),
});

export const receiveWebhookRoute = defineRoute({
  method: 'POST',
  path: '/v1/in/{sourceId}',
  summary: 'Where the senders of a source send to: stored before it is answered',
  access: 'public',
  params: z.object({ sourceId: id('src') }),
  takesBytes: true,
  bodyKbMax: 1_024,
  reply: {
    status: 202,
    otherStatuses: [200],
    schema: z.union([ReceiptName, SlackChallenge]),
  },
  refusals: [
    'signature_invalid',
    'not_found',
    'conflict',
    'payload_too_large',
    'backpressure',
    'rate_limited',
    'busy',
    'source_closed',
    'unavailable',
  ],
});

export const createWebhookRoute = defineRoute({
  method: 'POST',
  path: '/v1/webhooks',
  summary: 'Take in a webhook of your own: stored before it is answered',
  access: 'inbox:write',
  idempotencyKey: 'required',
  body: z.record(z.string(), z.unknown()).meta({
    description: 'Any object. It goes on byte for byte. At most 256 KB.',
  }),
  reply: { status: 202, otherStatuses: [200], schema: ReceiptName },
  refusals: ['idempotency_key_reused', 'conflict', 'backpressure', 'busy'],
});

const SourceId = z
  .union([id('src'), z.literal(API_SOURCE)])
  .meta({ description: '`api` for those that came with an API key.' });

const Attempt = z.object({
  n: z.int(),
  at: z.string(),
  ms: z.int().optional(),
  error: z.string().optional().meta({
    description: '`busy`, `unavailable`, `worker_lost` or `internal`.',
  }),
});

const Webhook = z.object({
  id: id('rcp'),
  object: z.literal('webhook'),
  status: ReceiptStatus,
  sourceId: SourceId,
  contentType: z.string().optional(),
  headers: z.record(z.string(), z.string()).meta({ description: 'Those that are passed on.' }),
  bytes: z.int(),
  sha256: z.string().meta({ description: 'Of the body, in hex.' }),
  createdAt: z.string().meta({ description: 'When it was stored.' }),
  completedAt: z.string().optional(),
  failedAt: z.string().optional(),
  attempts: z.array(Attempt),
  nextAt: z.string().optional().meta({ description: 'When it is tried again.' }),
  lastError: z.string().optional(),
  eventId: id('evt').optional().meta({ description: 'The event as which it went on.' }),
  replayOf: z.string().optional().meta({ description: 'The event of the time before.' }),
  conflicts: z.int().optional().meta({
    description: 'How many came under the same id with another body. The first was kept.',
  }),
});

export const listWebhooksRoute = defineRoute({
  method: 'GET',
  path: '/v1/webhooks',
  summary: 'Webhooks that were taken in, newest first',
  access: 'inbox:read',
  query: z.strictObject({
    ...PageQuery,
    status: ReceiptStatus.optional(),
    sourceId: SourceId.optional(),
  }),
  reply: { status: 200, schema: pageOf(Webhook) },
  refusals: ['invalid_cursor'],
});

const WebhookParams = z.object({ id: id('rcp') });

const DeliveryState = z.object({
  deliveryId: z.string().optional(),
  endpointId: id('end'),
  status: z.enum(DELIVERY_STATES),
  attempts: z.int(),
  nextAt: z.string().optional(),
});

export const getWebhookRoute = defineRoute({
  method: 'GET',
  path: '/v1/webhooks/{id}',
  summary: 'One webhook that was taken in, its attempts and where its deliveries stand',
  access: 'inbox:read',
  params: WebhookParams,
  reply: {
    status: 200,
    schema: Webhook.extend({
      deliveries: z.array(DeliveryState).optional().meta({
        description: 'Of its event, when it is completed; empty when no endpoint wants it.',
      }),
    }),
  },
  refusals: ['not_found'],
});

export const getWebhookBodyRoute = defineRoute({
  method: 'GET',
  path: '/v1/webhooks/{id}/body',
  summary: 'The exact bytes of a webhook that was taken in',
  access: 'inbox:read',
  params: WebhookParams,
  reply: {
    status: 200,
    schema: z.custom<Uint8Array>((it) => it instanceof Uint8Array),
    // Never the type that a stranger named: this host is that of the API.
    contentType: 'application/octet-stream',
  },
  refusals: ['not_found'],
});

export const replayWebhookRoute = defineRoute({
  method: 'POST',
  path: '/v1/webhooks/{id}/replay',
  summary: 'Process a webhook again that has completed or failed, as a new event',
  access: 'inbox:write',
  idempotencyKey: 'accepted',
  params: WebhookParams,
  reply: { status: 202, schema: ReceiptName },
  refusals: ['not_found', 'not_retryable', 'busy'],
});

export const replayFailedRoute = defineRoute({
  method: 'POST',
  path: '/v1/webhooks/replays',
  summary: 'Process again what has failed, of one source or all, up to a hundred webhooks a call',
  access: 'inbox:write',
  mayLackBody: true,
  body: z
    .strictObject({
      sourceId: SourceId.optional(),
      from: Instant.optional().meta({ description: 'When it was stored, at the earliest.' }),
      to: Instant.optional().meta({ description: 'Before this time.' }),
      cursor: text(1, 1_000).optional().meta({
        description: 'The `nextCursor` of the call before, with the same fields besides.',
      }),
    })
    .refine(({ from = -Infinity, to = Infinity }) => from < to, {
      path: ['to'],
      message: 'must be later than from',
    }),
  reply: {
    status: 202,
    schema: z.object({
      replayed: z.int().meta({ description: 'How many are processed again, the oldest first.' }),
      nextCursor: z.string().optional(),
      hasMore: z.boolean(),
    }),
  },
  refusals: ['invalid_cursor', 'busy'],
});

/** What `inbox/api` answers: what is to be quick. */
export const receivingRoutes = [receiveWebhookRoute, createWebhookRoute];

/** What `inbox/source-api` answers of receipts. */
export const receiptRoutes = [
  listWebhooksRoute,
  getWebhookRoute,
  getWebhookBodyRoute,
  replayWebhookRoute,
  replayFailedRoute,
];

const ReceivedData = z
  .object({
    receiptId: id('rcp'),
    sourceId: SourceId,
    contentType: z.string().optional(),
    headers: z.record(z.string(), z.string()),
    body: z.string().optional().meta({ description: 'The exact text, where it is UTF-8.' }),
    bodyBase64: z.string().optional().meta({ description: 'The bytes, where it is not.' }),
    bodyUrl: z.string().optional().meta({
      description: 'Above 48 KB: the path in this API where the bytes are. Needs `inbox:read`.',
    }),
    bodySha256: z.string().optional(),
    bodyBytes: z.int().optional(),
    replayOf: z.string().optional().meta({ description: 'The event of the time before.' }),
  })
  .meta({ id: 'ReceivedData' });

/** What the room tells of. */
export const receivedEventTypes: EventTypes = {
  'inbox.received': { summary: 'A webhook of somebody else was taken in', data: ReceivedData },
};
