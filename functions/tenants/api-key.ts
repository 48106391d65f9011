import { createHash } from 'node:crypto';
import type { Scope } from '../shared/http/route.ts';
import { idPart } from '../shared/ids/derive.ts';

/** What a key may do: single scopes, or everything. */
export type KeyScopes = readonly (Scope | '*')[];

/** An API key as it is stored: never the key itself. */
export interface ApiKey {
  readonly id: `key_${string}`;
  readonly tenantId: string;
  readonly name: string;
  readonly scopes: KeyScopes;
  /** SHA-256 of the whole key, hexadecimal. */
  readonly hash: string;
  /** The end of the key, for people to tell their keys apart. */
  readonly lastFour: string;
  readonly createdAtMs: number;
}

const KEY_FORM = /^th_(?:live|test)_[0-9A-HJKMNP-TV-Z]{26}_[\w-]{43}$/;

/** Whether the text may be a key at all; saves the look-up of noise. */
export function looksLikeKey(text: string): boolean {
  return KEY_FORM.test(text);
}

/** The key as it is shown once: 256 random bits behind its mode and id. */
export function formatKey(mode: 'live' | 'test', keyId: string, secret: Uint8Array): string {
  return `th_${mode}_${idPart(keyId)}_${Buffer.from(secret).toString('base64url')}`;
}

/** A key has 256 random bits, so a plain hash cannot be guessed back. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** Whether the scopes open a route; `tenant` is opened by every key of a tenant. */
export function allows(scopes: KeyScopes, access: Scope | 'tenant'): boolean {
  return access === 'tenant' || scopes.includes('*') || scopes.includes(access);
}
