/** A part of a value, such as the word behind `Bearer`, is taken for a secret from here on. */
const SECRET_LENGTH_MIN = 8;
/** So much of the beginning of one, where the sample ends, is taken for it. */
const PART_LENGTH_MIN = 4;
const HIDDEN = '***';
/** With its keys, the record of such a sample stays below 1 KB, which is one write unit. */
const BYTES_MAX = 800;

/** The beginning of a sample, as much as is kept: it ends with a whole character. */
export function cutSample(text: string): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(BYTES_MAX)).read);
}

/**
 * The sample of an answer without the values of the tenant's own headers. They are write-only, and
 * a receiver may well repeat what it was sent: in words, in JSON, or cut off where the sample ends.
 * A short value, such as `1` or `acme`, is only hidden where it stands for itself.
 */
export function withoutValues(sample: string, values: readonly string[]): string {
  const forms = [...new Set(values.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
  const whole = forms.reduce(hide, sample);
  const cut = Math.max(0, ...forms.map((it) => overlap(whole, it)));
  // What hides a short value may be longer than the value.
  return cutSample(cut === 0 ? whole : whole.slice(0, -cut) + HIDDEN);
}

/** What separates the parts of a value: words, cookies, lists, `user:password`. */
const SEPARATORS = /[\s;,=&:]+/;

/**
 * The value and its parts (`Bearer` and what is behind it, the value of a cookie, the password of
 * `Basic`), also as JSON, URLs and base64 write them.
 */
function formsOf(value: string): string[] {
  const decoded = /^basic\s+(\S+)$/i.exec(value)?.[1];
  const pair = decoded ? Buffer.from(decoded, 'base64').toString() : '';
  const isLong = (it: string) => it.length >= SECRET_LENGTH_MIN;
  const words = [value, pair].flatMap((it) => [...it.split(/\s+/), ...it.split(SEPARATORS)]);
  const parts = [value, ...[pair, ...words].filter(isLong)].filter((it) => it !== '');
  return parts.flatMap(writtenForms);
}

function writtenForms(part: string): string[] {
  const json = JSON.stringify(part).slice(1, -1);
  // A short value encoded says little, and stands in many a text by chance.
  if (part.length < SECRET_LENGTH_MIN) return [part, json];
  const inUrl = encodeURIComponent(part.toWellFormed());
  const base64 = Buffer.from(part).toString('base64');
  const base64Url = Buffer.from(part).toString('base64url');
  // A receiver may leave the padding out.
  return [part, json, inUrl, base64, base64.replace(/=+$/, ''), base64Url];
}

function hide(text: string, value: string): string {
  if (value.length >= SECRET_LENGTH_MIN) return text.replaceAll(value, HIDDEN);
  const literal = value.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const alone = new RegExp(`(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])`, 'gu');
  return text.replaceAll(alone, HIDDEN);
}

/** How much of the text's end may be the beginning of a value. */
function overlap(text: string, value: string): number {
  for (let length = value.length - 1; length >= PART_LENGTH_MIN; length--) {
    if (text.endsWith(value.slice(0, length))) return length;
  }
  return 0;
}
