import { createHash } from 'node:crypto';
import type { Scope } from '../shared/http/route.ts';
import { idPart } from '../shared/ids/derive.ts';
import type { RateLimit } from './rate-limit.ts';

/** What a key may do: single scopes, or everything. */
export type KeyScopes = readonly (Scope | '*')[];

/** An API key as it is stored: never the key itself. */
export interface ApiKey {
  readonly id: `key_${string}`;
  readonly tenantId: string;
  readonly name: string;
  readonly scopes: KeyScopes;
  /** Its own limit; that of its tenant if absent. */
  readonly rateLimit?: RateLimit | undefined;
  /** SHA-256 of the whole key, hexadecimal. */
  readonly hash: string;
  /** The end of the key, for people to tell their keys apart. */
  readonly lastFour: string;
  readonly createdAtMs: number;
  readonly expiresAtMs?: number | undefined;
  /** From then on it is revoked: ahead while a rotated key overlaps with its successor. */
  readonly revokedAtMs?: number | undefined;
  /** Revoked for good: the clock that wrote `revokedAtMs` may be ahead of others. */
  readonly ended?: boolean | undefined;
  readonly fingerprint?: string | undefined;
}

const KEY_FORM = /^th_(?:live|test)_[0-9A-HJKMNP-TV-Z]{26}_[\w-]{43}$/;

/** How many random bytes a key has: 256 bits. */
export const SECRET_BYTES = 32;

/** Whether the text may be a key at all; saves the look-up of noise. */
export function looksLikeKey(text: string): boolean {
  return KEY_FORM.test(text);
}

/** The key as it is shown once: 256 random bits behind its mode and id. */
export function formatKey(mode: 'live' | 'test', keyId: string, secret: Uint8Array): string {
  return `th_${mode}_${idPart(keyId)}_${Buffer.from(secret).toString('base64url')}`;
}

/** What is kept of a key: a hash, which cannot be guessed back, and its end. */
export function tracesOf(raw: string): Pick<ApiKey, 'hash' | 'lastFour'> {
  return { hash: hashKey(raw), lastFour: raw.slice(-4) };
}

/** A key has 256 random bits, so a plain hash cannot be guessed back. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

type Ends = Pick<ApiKey, 'revokedAtMs' | 'expiresAtMs' | 'ended'>;

/** What a key is at a time. Only an active one opens anything. */
export function statusAt(
  { revokedAtMs = Infinity, expiresAtMs = Infinity, ended }: Ends,
  nowMs: number,
): 'active' | 'revoked' | 'expired' {
  if (ended || revokedAtMs <= nowMs) return 'revoked';
  return expiresAtMs <= nowMs ? 'expired' : 'active';
}

/** When a key ends that is to end at a time: an earlier end, of an earlier rotation, stands. */
export function endOf({ revokedAtMs = Infinity }: Ends, wantedMs: number): number {
  return Math.min(revokedAtMs, wantedMs);
}

/** What a key is given. */
export type Grant = Pick<ApiKey, 'scopes' | 'expiresAtMs' | 'rateLimit'>;

/** What keeps a key from giving so much to another; undefined when it has all of it itself. */
export function lackOf(own: Grant, wanted: Grant): string | undefined {
  if (!covers(own.scopes, wanted.scopes)) return 'It has scopes that yours lacks.';
  if ((wanted.expiresAtMs ?? Infinity) > (own.expiresAtMs ?? Infinity)) {
    return 'It would outlive yours: give it an expiresAt that is not after yours.';
  }
  const [mine, theirs] = [own.rateLimit ?? UNLIMITED, wanted.rateLimit ?? UNLIMITED];
  if (theirs.perSecond > mine.perSecond || theirs.burst > mine.burst) {
    return 'It may call more often than yours: give it a rateLimit that is not above yours.';
  }
  return undefined;
}

/** By a key itself; its tenant's limit holds besides. */
const UNLIMITED: RateLimit = { perSecond: Infinity, burst: Infinity };

/** Whether the scopes open a route; `tenant` is opened by every key of a tenant. */
export function allows(scopes: KeyScopes, access: Scope | 'tenant'): boolean {
  return access === 'tenant' || scopes.includes('*') || scopes.includes(access);
}

/** Whether a key with the scopes `own` may hand out `others`: nobody gives what they lack. */
export function covers(own: KeyScopes, others: KeyScopes): boolean {
  return own.includes('*') || others.every((it) => own.includes(it));
}
