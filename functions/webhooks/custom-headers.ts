import { Buffer } from 'node:buffer';
import { KIB } from '../shared/units.ts';

/** What is wrong with a tenant's own headers; with all of them if it has no name. */
export interface HeaderFault {
  readonly name?: string;
  readonly message: string;
}

const HEADERS_MAX = 20;
const BYTES_MAX = 4 * KIB;

/** A token of RFC 9110. */
const NAME = /^[!#$%&'*+.^_`|~\w-]{1,100}$/;
/** Visible ASCII, and spaces and tabs between. */
const VALUE = /^$|^[!-~]([\t -~]*[!-~])?$/;

/** They belong to the connection, to the body as it is sent, or to Tallyhook. */
const RESERVED = new Set([
  'host',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'accept-encoding',
  'user-agent',
  'traceparent',
]);
const RESERVED_PREFIX = /^(content|proxy|webhook)-/;

/**
 * Everything that forbids these headers, in any case of letters; nothing if they are fine. They
 * are counted first, so that what is far too many is not looked at one by one.
 */
export function headerFaults(headers: Readonly<Record<string, string>>): HeaderFault[] {
  const all = Object.entries(headers);
  if (all.length > HEADERS_MAX) return [{ message: `has more than ${HEADERS_MAX} headers` }];
  const bytes = all.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  if (bytes > BYTES_MAX) return [{ message: 'is above 4 KB' }];

  const seen = new Set<string>();
  return all.flatMap(([name, value]) => {
    const message = faultOf(name, value) ?? (seen.has(name.toLowerCase()) ? 'is there twice' : '');
    seen.add(name.toLowerCase());
    return message === '' ? [] : [{ name, message }];
  });
}

function faultOf(name: string, value: string): string | undefined {
  if (!NAME.test(name)) return 'is not a name that a header may have';
  const lower = name.toLowerCase();
  if (RESERVED.has(lower) || RESERVED_PREFIX.test(lower)) return 'is a header that Tallyhook sets';
  return VALUE.test(value) ? undefined : 'must be visible ASCII, with spaces only between';
}
