import * as z from 'zod';
import { isReservedType } from '../events/event.ts';
import { defineRoute } from '../shared/http/route.ts';
import { EventType, id, PageQuery, pageOf, text } from '../shared/wire.ts';
import { SCHEMES } from './signature-scheme.ts';
import { FORWARD_AS_DEFAULT } from './source.ts';

/** A header that a signature or an id may stand in: none that holds what a client proves with. */
const HeaderName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]*$/, 'must be the name of a header')
  .transform((it) => it.toLowerCase())
  .refine((it) => !/^(authorization|cookie|proxy-.*|x-forwarded-.*|host)$/.test(it), 'is not free');

const Hmac = z.strictObject({
  header: HeaderName.meta({ description: 'Where the signature stands.' }),
  algorithm: z.enum(['sha256', 'sha512']),
  encoding: z.enum(['hex', 'base64']).meta({ description: '`hex`: small letters.' }),
  prefix: text(1, 40).exactOptional().meta({ description: 'Before the signature: `sha256=`.' }),
  idHeader: HeaderName.exactOptional().meta({
    description: 'Where the sender writes its own id. With the body it tells copies apart.',
  }),
});

const Secret = text(8, 500).meta({ description: 'Write-only. As the sender shows it.' });

const Scheme = z.enum(SCHEMES);
const Overflow = z.enum(['reject', 'accept']).meta({
  description: 'Above a limit: refuse with 429, or take up to ten times as much, and then 503.',
});
const MaxBacklog = z.int().min(1).max(1_000_000).meta({
  description: 'How many receipts may be open at a time. Without it nobody counts.',
});
const RatePerSecond = z.number().min(0.01).max(5_000);
const Dedupe = z
  .strictObject({ windowSeconds: z.int().min(1).max(86_400) })
  .meta({ description: 'The same body within this time is the same webhook.' });
const ForwardAs = EventType.refine(
  (it) => it === FORWARD_AS_DEFAULT || !isReservedType(it),
  'is a type of Tallyhook itself',
);
const SourceStatus = z.enum(['active', 'paused']);
const Name = text(1, 200);

const KEY_BYTES_MIN = 16;

/** A secret of Standard Webhooks is base64; no other length is as good as none. */
function isStandardSecret(secret: string): boolean {
  const base64 = secret.replace(/^whsec_/, '');
  const bytes = Buffer.from(base64, 'base64');
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  return isBase64 && bytes.length >= KEY_BYTES_MIN;
}

/** What is wrong with a secret for this scheme, or with its absence, if anything is. */
export function secretFault(
  scheme: z.output<typeof Scheme>,
  secret: string | undefined,
): string | undefined {
  if (secret === undefined) return scheme === 'none' ? undefined : 'is required by this scheme';
  if (scheme === 'none') return 'is not used by the scheme none';
  if (scheme !== 'standard' || isStandardSecret(secret)) return undefined;
  return `must be base64 of ${KEY_BYTES_MIN} bytes or more, with whsec_ before it or not`;
}

/** An id goes on with the webhook, and a signature must not. */
const ID_FAULT = 'is the header of the signature: name the one with an id, or leave it out';

const CreateSourceBody = z
  .strictObject({
    name: Name,
    scheme: Scheme,
    secret: Secret.optional(),
    hmac: Hmac.optional(),
    overflow: Overflow.default('accept'),
    maxBacklog: MaxBacklog.optional(),
    ratePerSecond: RatePerSecond.optional(),
    dedupe: Dedupe.optional(),
    forwardAs: ForwardAs.default(FORWARD_AS_DEFAULT),
    status: SourceStatus.default('active'),
  })
  .superRefine(({ scheme, secret, hmac }, context) => {
    const fault = (path: string | string[], message: string) =>
      context.addIssue({ code: 'custom', path: [path].flat(), message });
    const wrong = secretFault(scheme, secret);
    if (wrong) fault('secret', wrong);
    if ((scheme === 'hmac') !== (hmac !== undefined)) {
      fault('hmac', 'belongs to the scheme hmac, and to no other');
    }
    if (hmac !== undefined && hmac.idHeader === hmac.header) fault(['hmac', 'idHeader'], ID_FAULT);
  });

/** What is absent stays; null takes away what a source need not have. */
const UpdateSourceBody = z.strictObject({
  name: Name.optional(),
  overflow: Overflow.optional(),
  maxBacklog: MaxBacklog.nullish(),
  ratePerSecond: RatePerSecond.nullish(),
  dedupe: Dedupe.nullish(),
  forwardAs: ForwardAs.optional(),
  status: SourceStatus.optional(),
});

const Source = z.object({
  id: id('src'),
  object: z.literal('source'),
  name: z.string(),
  url: z.string().meta({ description: 'Where its webhooks are sent to.' }),
  scheme: Scheme,
  hmac: Hmac.optional(),
  overflow: Overflow,
  maxBacklog: z.int().optional(),
  ratePerSecond: z.number().optional(),
  dedupe: Dedupe.optional(),
  forwardAs: z.string(),
  status: SourceStatus,
  createdAt: z.string(),
  updatedAt: z.string(),
});

const SourceParams = z.object({ id: id('src') });

export const createSourceRoute = defineRoute({
  method: 'POST',
  path: '/v1/sources',
  summary: 'Let somebody else send webhooks here',
  access: 'inbox:write',
  idempotencyKey: 'accepted',
  body: CreateSourceBody,
  reply: { status: 201, schema: Source },
  refusals: ['idempotency_key_reused', 'conflict', 'busy'],
});

export const listSourcesRoute = defineRoute({
  method: 'GET',
  path: '/v1/sources',
  summary: 'All sources, newest first',
  access: 'inbox:read',
  query: z.strictObject({
    ...PageQuery,
    status: SourceStatus.optional(),
  }),
  reply: { status: 200, schema: pageOf(Source) },
  refusals: ['invalid_cursor'],
});

export const getSourceRoute = defineRoute({
  method: 'GET',
  path: '/v1/sources/{id}',
  summary: 'One source, and how much of it is open',
  access: 'inbox:read',
  params: SourceParams,
  reply: {
    status: 200,
    schema: Source.extend({
      backlog: z.int().optional().meta({
        description: 'Receipts that are open, where the source has a maxBacklog.',
      }),
      oldestAgeSeconds: z.int().optional().meta({
        description: 'How long the oldest of the 100 oldest open receipts has waited.',
      }),
    }),
  },
  refusals: ['not_found'],
});

export const updateSourceRoute = defineRoute({
  method: 'PATCH',
  path: '/v1/sources/{id}',
  summary: 'Change a source, pause it or make it active again; effective within 30 seconds',
  access: 'inbox:write',
  params: SourceParams,
  body: UpdateSourceBody,
  reply: { status: 200, schema: Source },
  refusals: ['not_found', 'busy'],
});

export const deleteSourceRoute = defineRoute({
  method: 'DELETE',
  path: '/v1/sources/{id}',
  summary: 'Delete a source; what was taken in is still processed',
  access: 'inbox:write',
  params: SourceParams,
  reply: {
    status: 200,
    schema: z.object({ id: id('src'), object: z.literal('source'), deleted: z.literal(true) }),
  },
  refusals: ['not_found', 'busy'],
});

const DAY_SECONDS = 86_400;

export const rotateSourceSecretRoute = defineRoute({
  method: 'POST',
  path: '/v1/sources/{id}/secret/rotate',
  summary: 'Take signatures with a new secret, at once',
  access: 'inbox:write',
  params: SourceParams,
  body: z.strictObject({
    secret: Secret,
    graceSeconds: z
      .int()
      .min(0)
      .max(7 * DAY_SECONDS)
      .default(DAY_SECONDS)
      .meta({
        description: 'So long signatures with the older secrets are good, too; 0 ends them.',
      }),
  }),
  reply: { status: 200, schema: Source },
  refusals: ['not_found', 'not_available', 'busy'],
});

/** What `inbox/source-api` answers of sources. */
export const sourceRoutes = [
  createSourceRoute,
  listSourcesRoute,
  getSourceRoute,
  updateSourceRoute,
  deleteSourceRoute,
  rotateSourceSecretRoute,
];
