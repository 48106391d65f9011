import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { SECOND_MS } from '../shared/units.ts';

/** How senders of webhooks sign. `hmac` is any that signs the bare body; `none` signs nothing. */
export const SCHEMES = [
  'standard',
  'stripe',
  'github',
  'shopify',
  'slack',
  'hmac',
  'none',
] as const;

export type Scheme = (typeof SCHEMES)[number];

/** Where a sender of the scheme `hmac` writes its signature, and how. */
export interface HmacTerms {
  /** Lower case. */
  readonly header: string;
  readonly algorithm: 'sha256' | 'sha512';
  readonly encoding: 'hex' | 'base64';
  /** What stands before the signature, such as `sha256=`. */
  readonly prefix?: string | undefined;
  /** The header with the sender's own id of the webhook; lower case. */
  readonly idHeader?: string | undefined;
}

/** What a source says of its sender. Only the scheme `hmac` has terms. */
export interface Signing {
  readonly scheme: Scheme;
  readonly hmac?: HmacTerms | undefined;
}

/** A webhook as it came: header names in lower case, and the exact bytes. */
export interface Incoming {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  readonly nowMs: number;
}

/** A good webhook: what its signature covers beside the body. */
export interface Verified {
  /** When its sender signed it, where the signature covers that. */
  readonly signedAtMs?: number | undefined;
  /** The id that its sender gave it, where the signature covers that. */
  readonly signedId?: string | undefined;
}

/** How far the time of a signature may be away from ours, on either side. */
const TOLERANCE_MS = 300 * SECOND_MS;

/**
 * Judges a webhook by any of the secrets, over its exact bytes and in constant time, and only near
 * the time that it was signed at, where the scheme has one. Undefined for whatever does not fit:
 * the sender is told no more than that.
 */
export function verify(
  signing: Signing,
  secrets: readonly string[],
  incoming: Incoming,
): Verified | undefined {
  const claim = CLAIMS[signing.scheme](incoming, signing);
  if (!claim) return undefined;
  const { signedAtMs, idMember } = claim;
  if (signedAtMs !== undefined && !isNear(signedAtMs, incoming.nowMs)) return undefined;
  const isRight = claim.signatures === 'none' || fits(claim, secrets, incoming.body);
  if (!isRight) return undefined;
  // Strangers do not make us parse a megabyte.
  const signedId = idMember === undefined ? claim.signedId : textIn(incoming.body, idMember);
  return { signedAtMs, signedId };
}

/** What a webhook claims of itself. */
interface Claim extends Verified {
  /** Each in the text form of the scheme; one that fits is enough. */
  readonly signatures: readonly string[] | 'none';
  readonly algorithm?: HmacTerms['algorithm'];
  readonly encoding: HmacTerms['encoding'];
  /** The member of a JSON body with the sender's id. */
  readonly idMember?: string;
  /** What is signed before the body. */
  readonly head?: string;
  /** The secret is text; only Standard Webhooks writes bytes. */
  readonly keyOf?: (secret: string) => Uint8Array;
}

type Claims = (incoming: Incoming, signing: Signing) => Claim | undefined;

/** Undefined where a header is missing or has no such form. */
const CLAIMS: Readonly<Record<Scheme, Claims>> = {
  standard({ headers }) {
    const id = headers['webhook-id'];
    const seconds = secondsOf(headers['webhook-timestamp']);
    const signature = headers['webhook-signature'];
    if (!id || seconds === undefined || !signature) return undefined;
    return {
      signatures: signature.split(' ').flatMap((it) => after('v1,', it)),
      encoding: 'base64',
      head: `${id}.${headers['webhook-timestamp']}.`,
      keyOf: standardKey,
      signedAtMs: seconds * SECOND_MS,
      signedId: id,
    };
  },
  stripe({ headers }) {
    const parts = headers['stripe-signature']?.split(',') ?? [];
    const [timestamp, ...others] = parts.flatMap((it) => after('t=', it));
    const seconds = secondsOf(timestamp);
    if (seconds === undefined || others.length > 0) return undefined;
    return {
      signatures: parts.flatMap((it) => after('v1=', it)),
      encoding: 'hex',
      head: `${timestamp}.`,
      signedAtMs: seconds * SECOND_MS,
      idMember: 'id',
    };
  },
  github: ({ headers }) =>
    bare(headers['x-hub-signature-256'], { encoding: 'hex', prefix: 'sha256=' }),
  shopify: ({ headers }) => bare(headers['x-shopify-hmac-sha256'], { encoding: 'base64' }),
  slack({ headers }) {
    const timestamp = headers['x-slack-request-timestamp'];
    const seconds = secondsOf(timestamp);
    const signature = headers['x-slack-signature'];
    if (seconds === undefined || !signature) return undefined;
    return {
      signatures: after('v0=', signature),
      encoding: 'hex',
      head: `v0:${timestamp}:`,
      signedAtMs: seconds * SECOND_MS,
      idMember: 'event_id',
    };
  },
  hmac({ headers }, { hmac }) {
    return hmac && bare(headers[hmac.header], hmac);
  },
  none: () => ({ signatures: 'none', encoding: 'hex' }),
};

/** A signature over nothing but the body. */
function bare(
  given: string | undefined,
  { prefix = '', algorithm = 'sha256', encoding }: Partial<HmacTerms> & Pick<HmacTerms, 'encoding'>,
): Claim | undefined {
  return given ? { signatures: after(prefix, given), algorithm, encoding } : undefined;
}

/** What follows the prefix: one text, or none where it does not stand there. */
function after(prefix: string, text: string): string[] {
  return text.startsWith(prefix) ? [text.slice(prefix.length)] : [];
}

/** Whole seconds since 1970, in digits only. */
function secondsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}

function isNear(signedAtMs: number, nowMs: number): boolean {
  // Signatures count whole seconds: ours is cut as well, so that 300 is within.
  const now = Math.floor(nowMs / SECOND_MS) * SECOND_MS;
  return Math.abs(now - signedAtMs) <= TOLERANCE_MS;
}

/** `whsec_` or not, the rest is base64. */
function standardKey(secret: string): Uint8Array {
  return Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
}

/** Whether one of the signatures fits one of the secrets. Every pair is looked at. */
function fits(
  { signatures, algorithm = 'sha256', encoding, head = '', keyOf = Buffer.from }: Claim,
  secrets: readonly string[],
  body: Uint8Array,
): boolean {
  let found = false;
  for (const secret of secrets) {
    const key = createSecretKey(keyOf(secret));
    const right = createHmac(algorithm, key).update(head).update(body).digest(encoding);
    for (const given of signatures) found = isSame(right, given) || found;
  }
  return found;
}

/** Compared as text: of the ways to write the same bytes only the sender's own counts. */
function isSame(right: string, given: string): boolean {
  const [one, other] = [Buffer.from(right), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A member of a JSON body that is a text; senders put their ids there. */
function textIn(body: Uint8Array, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    const found = Object(value)[name] as unknown;
    return typeof found === 'string' && found !== '' ? found : undefined;
  } catch {
    return undefined;
  }
}
