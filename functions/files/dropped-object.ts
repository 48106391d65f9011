import { deriveId } from '../shared/ids/derive.ts';
import { DAY_MS } from '../shared/units.ts';

/** An object that somebody put under `drop/<tenant>/`, and should have under an endpoint there. */
export interface DroppedObject {
  readonly tenantId: string;
  /** Undefined where the folder is none of an endpoint, or there is no such folder. */
  readonly endpointId?: `end_${string}` | undefined;
  readonly key: string;
  /** What is behind the tenant and the endpoint in the key. */
  readonly name: string;
  readonly objectVersion?: string | undefined;
}

/** Where dropped objects lie. */
export const DROPS = 'drop/';

/** By the lifecycle of the bucket: what is older is about to leave. */
export const DROPS_KEPT_MS = 7 * DAY_MS;

/** By the lifecycle of the bucket, and the days by which that may be late. */
export const DROPS_LIFE_MS = 14 * DAY_MS;

const NAME_MAX = 255;

/** Undefined for a key that is no drop, as the folders that some tools make are none. */
export function toDrop(key: string, objectVersion: string | undefined): DroppedObject | undefined {
  const parts = /^drop\/([^/]+)\/(?:end_([^/]+)\/)?(.*[^/])$/s.exec(key);
  const [, tenantId, endpoint, path] = parts ?? [];
  if (tenantId === undefined || path === undefined) return undefined;
  const endpointId = endpoint === undefined ? undefined : (`end_${endpoint}` as const);
  const name = path.slice(-NAME_MAX).toWellFormed();
  return { tenantId, endpointId, key, name, objectVersion };
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

/** Under which header a setting is given with the object: `saidBy` the other way round. */
export function headerOf(term: string): string {
  const name = term.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `x-amz-meta-${PREFIX}${name}`;
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
