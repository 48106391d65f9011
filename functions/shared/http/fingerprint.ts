import { createHash } from 'node:crypto';
import { NumberText } from './strict-json.ts';

/** Raised when the canonical form changes, so that old fingerprints are still told apart. */
const VERSION = 'v1';

/**
 * What makes two requests the same: method, concrete path, and the JSON as it was received with
 * its names sorted. A number is its text, because two of them may be one double. Taken before
 * defaults, so that a new default does not break an old replay.
 */
export function fingerprintOf(method: string, path: string, body: unknown): string {
  const hash = createHash('sha256').update(`${method}\n${path}\n${canonical(body)}`);
  return `${VERSION}:${hash.digest('base64url')}`;
}

function canonical(value: unknown): string {
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? '';
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, it]) => `${JSON.stringify(name)}:${canonical(it)}`).join(',')}}`;
}
