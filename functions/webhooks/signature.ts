import { Buffer } from 'node:buffer';
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import type { Ids } from '../shared/world.ts';

/** The parts of a webhook that its signature covers. `body` is the exact bytes on the wire. */
export interface SignedContent {
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: Uint8Array;
}

/** A webhook as it arrived. Header names are in lower case, as Node gives them. */
export interface ReceivedWebhook {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/** The receiver's clock, and how far the timestamp may be away from it on either side. */
export interface VerifyWindow {
  readonly nowSeconds: number;
  readonly toleranceSeconds: number;
}

export type Verdict = 'valid' | 'headers_missing' | 'timestamp_out_of_window' | 'bad_signature';

const SECRET_PREFIX = 'whsec_';
/** Bounds that Standard Webhooks 1.0 sets for the length of a secret. */
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const NEW_SECRET_BYTES = 32;

/** The form in which a secret is shown: `whsec_` and base64. Refuses a length out of bounds. */
export function formatSecret(bytes: Uint8Array): string {
  if (bytes.length < SECRET_BYTES_MIN || bytes.length > SECRET_BYTES_MAX) {
    throw new RangeError(`a secret has ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`);
  }
  return SECRET_PREFIX + Buffer.from(bytes).toString('base64');
}

/** A secret that nobody can guess, of 32 bytes. */
export function newSecret(ids: Pick<Ids, 'secretBytes'>): string {
  return formatSecret(ids.secretBytes(NEW_SECRET_BYTES));
}

/**
 * The bytes of a secret of 24 to 64 bytes. Undefined for anything else, also for base64 that is
 * not in its one canonical form, because libraries disagree on what such a text means.
 */
export function parseSecret(secret: string): Uint8Array | undefined {
  if (!secret.startsWith(SECRET_PREFIX)) return undefined;
  const text = secret.slice(SECRET_PREFIX.length);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return undefined;
  if (bytes.length < SECRET_BYTES_MIN || bytes.length > SECRET_BYTES_MAX) return undefined;
  return bytes;
}

/**
 * The value of `webhook-signature` by Standard Webhooks 1.0: one `v1,<base64>` per secret, in the
 * order of the secrets, separated by spaces. Throws when there is no secret or one is not one.
 */
export function signWebhook(secrets: readonly string[], content: SignedContent): string {
  if (secrets.length === 0) throw new TypeError('a webhook is never sent unsigned');
  const head = `${content.id}.${content.timestampSeconds}.`;
  return secrets
    .map((secret) => `v1,${digest(keyOf(secret), head, content.body).toString('base64')}`)
    .join(' ');
}

/**
 * Judges a webhook as a receiver must: by any of its secrets, over the exact bytes, in constant
 * time, and only near `nowSeconds`. Signatures of other versions than `v1` are passed over.
 */
export function verifyWebhook(
  secrets: readonly string[],
  { headers, body }: ReceivedWebhook,
  { nowSeconds, toleranceSeconds }: VerifyWindow,
): Verdict {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') {
    return 'headers_missing';
  }
  if (id === '' || timestamp === '' || signatures === '') return 'headers_missing';
  if (!/^\d{1,12}$/.test(timestamp)) return 'timestamp_out_of_window';
  if (Math.abs(nowSeconds - Number(timestamp)) > toleranceSeconds) return 'timestamp_out_of_window';

  const claimed = signatures.split(' ').flatMap(parseSignature);
  const head = `${id}.${timestamp}.`;
  const right = secrets.map((secret) => digest(keyOf(secret), head, body));
  return anyEqual(right, claimed) ? 'valid' : 'bad_signature';
}

function keyOf(secret: string): Uint8Array {
  const key = parseSecret(secret);
  if (!key) throw new TypeError('a webhook secret is whsec_ and the base64 of 24 to 64 bytes');
  return key;
}

function digest(key: Uint8Array, head: string, body: Uint8Array): Buffer {
  // With the bytes themselves Node takes four times as long.
  return createHmac('sha256', createSecretKey(key)).update(head).update(body).digest();
}

/** Zero or one digest of 32 bytes. Only the canonical text counts, so a signature has one form. */
function parseSignature(text: string): Buffer[] {
  if (!text.startsWith('v1,')) return [];
  const bytes = Buffer.from(text.slice(3), 'base64');
  return bytes.length === 32 && `v1,${bytes.toString('base64')}` === text ? [bytes] : [];
}

/** Compares every pair, so that the time tells nothing about which one fitted. */
function anyEqual(right: readonly Buffer[], claimed: readonly Buffer[]): boolean {
  let found = false;
  for (const one of right) {
    for (const other of claimed) found = timingSafeEqual(one, other) || found;
  }
  return found;
}
