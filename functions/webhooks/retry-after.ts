import { DAY_MS, SECOND_MS } from '../shared/units.ts';

/** A receiver may ask for any time between these; what is beyond counts as the bound. */
const MIN_MS = SECOND_MS;
const MAX_MS = DAY_MS;

/** What RFC 9110 lets a sender write, and the two older forms that all must read. */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/**
 * How long a `Retry-After` asks to wait: seconds or a date, between one second and a day.
 * Undefined for anything that is neither, which is then as good as no header.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return within(Number(text) * SECOND_MS);
  if (!HTTP_DATES.some((it) => it.test(text))) return undefined;
  const atMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(atMs) ? undefined : within(atMs - nowMs);
}

function within(ms: number): number {
  return Math.min(MAX_MS, Math.max(MIN_MS, ms));
}
