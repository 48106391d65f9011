import { createHmac, hkdfSync } from 'node:crypto';
import type { MasterKey } from './sealed.ts';

/** What makes a request the same, and what and whose it is. */
export interface Fingerprint {
  readonly fingerprint: string;
  readonly context: string;
}

const KEYED = /^k1:([1-9]\d{0,8}):/;

/**
 * A fingerprint of a request that has a secret in it, as it may be stored: whoever reads the table
 * without the master key cannot try out secrets on it. Made in the way `like` was, so that both can
 * be compared: with the version of the key that it names, or bare, as earlier releases stored it.
 */
export function keyedFingerprint(
  masterKey: MasterKey,
  { fingerprint, context }: Fingerprint,
  like?: string,
): string {
  const named = like === undefined ? masterKey.current : KEYED.exec(like)?.[1];
  if (named === undefined) return fingerprint;
  // A version that was removed: then nobody can say any more that it is the same.
  const version = masterKey.keys.has(named) ? named : masterKey.current;
  const key = masterKey.keys.get(version);
  if (!key) throw new Error(`the master key has no version ${version}`);
  const derived = new Uint8Array(hkdfSync('sha256', key, '', 'tallyhook fingerprint', 32));
  const mac = createHmac('sha256', derived).update(`${context}\n${fingerprint}`);
  return `k1:${version}:${mac.digest('base64url')}`;
}
