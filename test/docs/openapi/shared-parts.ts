import type { ZodOpenApiComponentsObject, ZodOpenApiHeadersObject } from 'zod-openapi';
import { PROBLEMS } from '../../../functions/shared/problem.ts';

const text = (description: string, ...examples: readonly string[]) => ({
  description,
  schema: { type: 'string' as const, ...(examples.length > 0 && { examples: [...examples] }) },
});

/** The headers of answers, by name. */
const HEADERS = {
  'X-Request-Id': text('The id of the request: given by the caller, or made.'),
  'Idempotent-Replayed': {
    description: 'Present when an earlier request with the same key was answered so.',
    schema: { type: 'string' as const, const: 'true' },
  },
  'RateLimit-Policy': text(
    'The limit of the key: requests `q` in a window of `w` seconds.',
    '"default";q=100;w=1',
  ),
  RateLimit: text(
    'How many requests are left, `r`, and the seconds until there are more, `t`.',
    '"default";r=199;t=1',
  ),
  'Retry-After': {
    description: 'Seconds after which it is worth trying again.',
    schema: { type: 'integer' as const, minimum: 0 },
  },
  'WWW-Authenticate': text('How to authenticate: with a Bearer key.'),
  ETag: text('The version of what is answered; send it back as If-None-Match.'),
} satisfies ZodOpenApiHeadersObject;

export type HeaderName = keyof typeof HEADERS;

/** References to some of the shared headers. */
export function headers(...names: readonly HeaderName[]): ZodOpenApiHeadersObject {
  return Object.fromEntries(names.map((it) => [it, { $ref: `#/components/headers/${it}` }]));
}

const KEY = {
  type: 'string' as const,
  minLength: 1,
  maxLength: 255,
  pattern: '^[\\x21-\\x7e]+$',
  examples: ['order-1042-payment'],
};

const PROBLEM = {
  type: 'object' as const,
  description: 'RFC 9457. What to do for each code is in docs/problems.md.',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', 'retryable'],
  properties: {
    type: { type: 'string' as const, format: 'uri' },
    title: { type: 'string' as const },
    status: { type: 'integer' as const },
    detail: { type: 'string' as const, description: 'What is wrong in this case.' },
    instance: { type: 'string' as const, description: 'The path that was called.' },
    code: { type: 'string' as const, enum: Object.keys(PROBLEMS) },
    requestId: { type: 'string' as const },
    retryable: { type: 'boolean' as const, description: 'Whether the same request may succeed.' },
    errors: {
      type: 'array' as const,
      description: 'Every fault of the request.',
      items: {
        type: 'object' as const,
        required: ['pointer', 'code', 'detail'],
        properties: {
          pointer: { type: 'string' as const, description: 'RFC 6901, into the body.' },
          code: { type: 'string' as const },
          detail: { type: 'string' as const },
        },
      },
    },
  },
};

/** What operations refer to. */
export const SHARED_PARTS: ZodOpenApiComponentsObject = {
  headers: HEADERS,
  parameters: {
    IdempotencyKey: {
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description: 'Repeating a request with its key has no second effect and the same answer.',
      schema: KEY,
    },
    IdempotencyKeyRequired: {
      name: 'Idempotency-Key',
      in: 'header',
      required: true,
      description: 'Repeating a request with its key has no second effect and the same answer.',
      schema: KEY,
    },
  },
  schemas: { Problem: PROBLEM },
  securitySchemes: {
    tenantKey: {
      type: 'http',
      scheme: 'bearer',
      description: 'A key of a tenant, `th_live_…` or `th_test_…`, with the scope of the route.',
    },
    adminKey: {
      type: 'http',
      scheme: 'bearer',
      description: 'The admin key of the installation. It opens the routes of the operator only.',
    },
  },
};
