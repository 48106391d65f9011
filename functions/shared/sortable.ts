import { MINUTE_MS } from './units.ts';

/** Digits of a time in milliseconds until the year 2286. */
const MS_DIGITS = 13;

/** A time in milliseconds as text that sorts as time. */
export function sortableMs(ms: number): string {
  return String(ms).padStart(MS_DIGITS, '0');
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
