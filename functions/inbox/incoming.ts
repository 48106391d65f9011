import { createHash } from 'node:crypto';
import type { Incoming, Verified } from './signature-scheme.ts';
import type { Source } from './source.ts';

/** Where the schemes write signatures, beside the header that a source names itself. */
const SIGNATURE_HEADERS = [
  'webhook-signature',
  'stripe-signature',
  'x-hub-signature',
  'x-hub-signature-256',
  'x-shopify-hmac-sha256',
  'x-slack-signature',
];

/** All that the schemes judge by. */
const SIGNING_HEADERS = [
  ...SIGNATURE_HEADERS,
  'webhook-id',
  'webhook-timestamp',
  'x-slack-request-timestamp',
];

/** What says what a webhook is about. Nothing that signs or proves anything is passed on. */
const FORWARDED_HEADERS = [
  'content-encoding',
  'user-agent',
  'webhook-id',
  'webhook-timestamp',
  'x-github-delivery',
  'x-github-event',
  'x-github-hook-id',
  'x-shopify-api-version',
  'x-shopify-event-id',
  'x-shopify-shop-domain',
  'x-shopify-topic',
  'x-shopify-triggered-at',
  'x-shopify-webhook-id',
  'x-slack-request-timestamp',
  'x-slack-retry-num',
  'x-slack-retry-reason',
];

/** A longer value is left out: a receipt stays small. */
const VALUE_LENGTH_MAX = 300;

interface Asked {
  header(name: string): string | undefined;
  bytes(): Uint8Array;
}

/** What a signature is judged by. */
export function incomingOf({ header, bytes }: Asked, { hmac }: Source, nowMs: number): Incoming {
  const names = hmac ? [hmac.header] : SIGNING_HEADERS;
  const headers = Object.fromEntries(names.map((it) => [it, header(it)]));
  return { headers, body: bytes(), nowMs };
}

/** The headers but those that hold signatures: a source may name one of those that go on. */
export function withoutSignatures(
  { header }: Pick<Asked, 'header'>,
  hmac: Source['hmac'],
): Pick<Asked, 'header'> {
  const signatures = [...SIGNATURE_HEADERS, hmac?.header.toLowerCase()];
  return { header: (it) => (signatures.includes(it.toLowerCase()) ? undefined : header(it)) };
}

/** The headers that go on with the webhook. */
export function forwardedHeaders(
  asked: Pick<Asked, 'header'>,
  hmac?: Source['hmac'],
): Record<string, string> {
  const { header } = withoutSignatures(asked, hmac);
  const own = hmac?.idHeader === undefined ? [] : [hmac.idHeader];
  const found = [...FORWARDED_HEADERS, ...own].flatMap((name) => {
    const value = header(name);
    return value !== undefined && value.length <= VALUE_LENGTH_MAX ? [[name, value] as const] : [];
  });
  return Object.fromEntries(found);
}

/** The SHA-256 of a body, in base64url. */
export function hashOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64url');
}

/**
 * What tells a webhook from all others of its source, so that a copy of it is known. Undefined
 * where its sender signs nothing that does: then each request is another webhook, unless the source
 * says for how long the same body is the same.
 */
export function identityOf(
  { scheme, hmac }: Pick<Source, 'scheme' | 'hmac'>,
  { signedId, signedAtMs }: Verified,
  { sha256, header }: { readonly sha256: string } & Pick<Asked, 'header'>,
): string | undefined {
  if (signedId !== undefined) return `id:${signedId}`;
  // Their ids of deliveries are not signed: whoever saw a webhook could send it again under others.
  if (scheme === 'github') return `body:${sha256}:${topicOf(header('x-github-event'))}`;
  if (scheme === 'shopify') return `body:${sha256}:${topicOf(header('x-shopify-topic'))}`;
  if (scheme === 'slack') return `body:${sha256}:${signedAtMs}`;
  const id = hmac?.idHeader === undefined ? undefined : header(hmac.idHeader);
  return id === undefined || id === '' ? undefined : `id:${id}:${sha256}`;
}

/** What happened, such as `orders/paid`: bodies of several can be equal. It is not signed. */
function topicOf(given = ''): string {
  return /^[\w./-]{1,100}$/.test(given) ? given : '';
}
