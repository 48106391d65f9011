import { deriveId } from '../shared/ids/derive.ts';

/** An object that somebody put under `drop/<tenant>/<endpoint>/`. */
export interface DroppedObject {
  readonly tenantId: string;
  readonly endpointId: `end_${string}`;
  readonly key: string;
  /** What is behind the endpoint in the key. */
  readonly name: string;
  readonly objectVersion?: string | undefined;
}

/** Where dropped objects lie. */
export const DROPS = 'drop/';

const NAME_MAX = 255;

/** Undefined for a key that is no drop, as the folders that some tools make are none. */
export function toDrop(key: string, objectVersion: string | undefined): DroppedObject | undefined {
  const [, tenantId, endpoint, path] = /^drop\/([^/]+)\/end_([^/]+)\/(.*[^/])$/s.exec(key) ?? [];
  if (tenantId === undefined || endpoint === undefined || path === undefined) return undefined;
  const name = path.slice(-NAME_MAX).toWellFormed();
  return { tenantId, endpointId: `end_${endpoint}`, key, name, objectVersion };
}

/**
 * The same for every event of the same version of an object. An overwritten object is another
 * version, and another file.
 */
export function dropFileId(
  bucket: string,
  { key, objectVersion = '' }: DroppedObject,
): `fil_${string}` {
  return deriveId('fil', bucket, key, objectVersion);
}

const PREFIX = 'tallyhook-';
const NUMBERS = new Set(['ratePerSecond', 'maxMalformedShare']);

/**
 * What the metadata of a dropped object says of its file: `tallyhook-rate-per-second` is
 * `ratePerSecond`. Unchecked, but with numbers and yes or no as such.
 */
export function saidBy(metadata: Readonly<Record<string, string>>): Record<string, unknown> {
  const own = Object.entries(metadata).filter(([name]) => name.startsWith(PREFIX));
  return Object.fromEntries(
    own.map(([name, value]) => {
      const term = name
        .slice(PREFIX.length)
        .replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [term, toValue(term, decoded(value))];
    }),
  );
}

function toValue(term: string, value: string): unknown {
  if (term === 'allowRepeat') return value === 'true' ? true : value === 'false' ? false : value;
  const isNumber = NUMBERS.has(term) || (term === 'idColumn' && /^\d+$/.test(value));
  return isNumber && value.trim() !== '' ? Number(value) : value;
}

/** S3 answers metadata beyond ASCII as the encoded words of RFC 2047. */
function decoded(value: string): string {
  return value.replaceAll(/=\?utf-8\?([bq])\?([^?]*)\?=\s*/gi, (_, kind: string, text: string) => {
    if (kind.toLowerCase() === 'b') return Buffer.from(text, 'base64').toString();
    const bytes = text
      .replaceAll('_', ' ')
      .replaceAll(/=([0-9a-f]{2})/gi, (__, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
    return Buffer.from(bytes, 'latin1').toString();
  });
}
