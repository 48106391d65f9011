import { Buffer } from 'node:buffer';
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { readKeyRing } from './key-ring.ts';
import type { Ids } from './world.ts';

/** The keys that may have sealed something, by version. New things are sealed with `current`. */
export interface MasterKey {
  readonly current: string;
  readonly keys: ReadonlyMap<string, KeyObject>;
}

/** `context` says what and whose it is (`<tenant>#<endpoint>#secret`), and is not secret. */
export interface Unsealed {
  readonly plaintext: string;
  readonly context: string;
}

const KEY_BYTES = 32;
const KEY_TEXT_MIN = 32;
/** The lengths that NIST SP 800-38D recommends for GCM. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^s1:([1-9]\d{0,8}):([\w-]+)$/;

/** Every webhook needs the key, and it is the same for all of them. */
let lastRead: { readonly secret: string; readonly masterKey: MasterKey } | undefined;

/**
 * Reads the value of the master key's secret: a key ring `{"current":2,"keys":{"1":…,"2":…}}`, or
 * just one key, which is then version 1. A key is the base64 of 32 bytes, or else any text of at
 * least 32 characters, from which the bytes are derived: so what Secrets Manager has generated
 * can be used at once, and later be moved into a ring unchanged. Throws when the value is neither,
 * and never repeats any of it.
 */
export function readMasterKey(secret: string): MasterKey {
  if (lastRead?.secret === secret) return lastRead.masterKey;
  const { current, keys } = readKeyRing(secret);
  const entries = Object.entries(keys).map(
    ([version, text]) => [version, createSecretKey(keyOf(text))] as const,
  );
  const masterKey = { current: String(current), keys: new Map(entries) };
  lastRead = { secret, masterKey };
  return masterKey;
}

/**
 * Encrypts with AES-256-GCM under the current master key and a fresh nonce. What comes out is
 * printable, names its key's version, and can be opened only with the same context.
 */
export function seal(
  masterKey: MasterKey,
  { plaintext, context }: Unsealed,
  ids: Pick<Ids, 'secretBytes'>,
): string {
  const version = masterKey.current;
  const nonce = ids.secretBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', versionOf(masterKey, version), nonce);
  cipher.setAAD(boundData(version, context));
  const sealed = [nonce, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()];
  return `s1:${version}:${Buffer.concat(sealed).toString('base64url')}`;
}

/**
 * The plaintext of what `seal` made with this context under any version that the master key
 * still has. Throws for everything else: another context, one changed bit, an unknown version.
 */
export function unseal(masterKey: MasterKey, sealed: string, context: string): string {
  const [, version, text] = SEALED.exec(sealed) ?? [];
  if (!version || !text) throw new Error('this is not a sealed value');

  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== text) {
    throw new Error('this is not a sealed value');
  }
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', versionOf(masterKey, version), nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(boundData(version, context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const plaintext = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
  return Buffer.concat([plaintext, decipher.final()]).toString('utf8');
}

/** Whether a sealed text names the version that new things are sealed with. */
export function isSealedWithCurrent(masterKey: MasterKey, sealed: string): boolean {
  return SEALED.exec(sealed)?.[1] === masterKey.current;
}

/** What is authenticated besides the ciphertext: its own prefix and the context. */
function boundData(version: string, context: string): Buffer {
  return Buffer.from(`s1:${version}:${context}`);
}

function versionOf(masterKey: MasterKey, version: string): KeyObject {
  const key = masterKey.keys.get(version);
  if (!key) throw new Error(`the master key has no version ${version}`);
  return key;
}

function keyOf(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === KEY_BYTES && bytes.toString('base64') === text) return bytes;
  if (text.length < KEY_TEXT_MIN) {
    throw new Error(`a master key has at least ${KEY_TEXT_MIN} characters`);
  }
  return new Uint8Array(hkdfSync('sha256', text, '', 'tallyhook master key', KEY_BYTES));
}
