import { DAY_MS, SECOND_MS } from '../shared/units.ts';

/** A receiver may ask for any time between these; what is beyond counts as the bound. */
const MIN_MS = SECOND_MS;
const MAX_MS = DAY_MS;

/** The one form of HTTP-date that RFC 9110 lets a sender write. */
const HTTP_DATE =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * How long a `Retry-After` asks to wait: seconds or a date, between one second and a day.
 * Undefined for anything that is neither, which is then as good as no header.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return within(Number(text) * SECOND_MS);
  if (!HTTP_DATE.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : within(atMs - nowMs);
}

function within(ms: number): number {
  return Math.min(MAX_MS, Math.max(MIN_MS, ms));
}
