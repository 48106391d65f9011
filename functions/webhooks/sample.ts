/** Shorter ones are words that everybody knows, such as `1` or `acme`. */
const SECRET_LENGTH_MIN = 8;
/** So much of the beginning of one, where the sample ends, is taken for it. */
const PART_LENGTH_MIN = 4;
const HIDDEN = '***';

/**
 * The sample of an answer without the values of the tenant's own headers. They are write-only, and
 * a receiver may well repeat what it was sent: in words, in JSON, or cut off where the sample ends.
 */
export function withoutValues(sample: string, values: readonly string[]): string {
  const hidden = values.flatMap(formsOf).toSorted((a, b) => b.length - a.length);
  const whole = hidden.reduce((text, it) => text.replaceAll(it, HIDDEN), sample);
  const cut = Math.max(0, ...hidden.map((it) => overlap(whole, it)));
  return cut === 0 ? whole : whole.slice(0, -cut) + HIDDEN;
}

/** The value and its words (`Bearer` and what is behind it), also as JSON writes them. */
function formsOf(value: string): string[] {
  const words = [value, ...value.split(/\s+/)].filter((it) => it.length >= SECRET_LENGTH_MIN);
  return [...new Set(words.flatMap((it) => [it, JSON.stringify(it).slice(1, -1)]))];
}

/** How much of the text's end may be the beginning of a value. */
function overlap(text: string, value: string): number {
  for (let length = value.length - 1; length >= PART_LENGTH_MIN; length--) {
    if (text.endsWith(value.slice(0, length))) return length;
  }
  return 0;
}
