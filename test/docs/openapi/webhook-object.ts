import * as z from 'zod';
import type { ZodOpenApiPathItemObject } from 'zod-openapi';
import type { EventTypes } from '../../../functions/shared/http/route.ts';
import { id } from '../../../functions/shared/wire.ts';
import type { Examples } from './examples.ts';

const text = (name: string, description: string, required = true) => ({
  name,
  in: 'header' as const,
  required,
  description,
  schema: { type: 'string' as const },
});

/** What every webhook carries: Standard Webhooks 1.0. */
const HEADERS = [
  text('webhook-id', 'The id of the event: the same in every copy of it.'),
  text('webhook-timestamp', 'Seconds since 1970 at which the copy was sent.'),
  text('webhook-signature', '`v1,` and a base64 HMAC-SHA256; several while a secret is rotated.'),
  text('webhook-attempt', 'The number of the attempt, from 1.'),
  text('webhook-possible-duplicate', 'Present when an earlier copy may have arrived.', false),
  text('webhook-hops', 'How many webhooks in a row led to this one, itself included; 3 at most.'),
  text('traceparent', 'The W3C trace context of the request that caused the event.', false),
];

/** What OpenAPI says of the webhook of one event type. */
export function webhookObject(
  type: string,
  { summary, data }: EventTypes[string],
  { webhooks }: Examples,
): ZodOpenApiPathItemObject {
  const schema = z.object({
    id: id('evt'),
    type: z.string().meta({ description: 'The event type.', examples: [type] }),
    timestamp: z.iso.datetime().meta({ description: 'When it happened.' }),
    data,
  });
  const value = webhooks[type];
  return {
    post: {
      operationId: `on.${type}`.replaceAll(/\.(\w)/g, (_all, letter) => letter.toUpperCase()),
      tags: ['Event types'],
      summary,
      security: [],
      parameters: HEADERS,
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema,
            ...(value !== undefined && { examples: { example: { value } } }),
          },
        },
      },
      responses: {
        '2XX': { description: 'Received. Any other answer is tried again.' },
        '410': { description: 'Disables the endpoint.' },
      },
    },
  };
}
