import { MINUTE_MS } from './units.ts';

/** Digits of a time in milliseconds until the year 2286. */
const MS_DIGITS = 13;

const MS_MAX = 10 ** MS_DIGITS - 1;

/**
 * A time in milliseconds as text that sorts as time. Whatever lies before 1970 is 1970, and
 * whatever lies after 2286 the end of it: nothing happened there yet, but people ask for it.
 */
export function sortableMs(ms: number): string {
  return String(Math.min(Math.max(0, ms), MS_MAX)).padStart(MS_DIGITS, '0');
}

/** The time in a text that begins with `sortableMs`. */
export function msOfSortable(text: string): number {
  return Number(text.slice(0, MS_DIGITS));
}

/** The partition of a minute (since 1970, UTC) and shard: `202611211030#7`. */
export function minutePartition(minute: number, shard: number): string {
  const at = new Date(minute * MINUTE_MS).toISOString();
  return `${at.slice(0, 16).replaceAll(/[-T:]/g, '')}#${shard}`;
}
