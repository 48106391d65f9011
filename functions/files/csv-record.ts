import { KIB, MIB } from '../shared/units.ts';

/** A quoted field longer than this was never meant to be one: its closing quote is missing. */
export const FIELD_BYTES_MAX = 64 * KIB;
/** Above this the file is refused: what is being read is not made of rows. */
export const ROW_BYTES_MAX = MIB;
/** A row longer than this gets no alert: its event would not fit any receiver. */
export const ROW_BYTES_ACCEPTED = 64 * KIB;

export const LF = 0x0a;
export const CR = 0x0d;
export const QUOTE = 0x22;

/** The most fields whose places are kept; the ones behind them are only counted. */
export const FIELDS_KEPT = 64 * KIB + 1;

/**
 * One record of a CSV text as places in its bytes, so that nothing is decoded that nobody reads.
 * The scanner fills the same object again for each record.
 */
export class CsvRecord {
  bytes: Uint8Array = new Uint8Array(0);
  /** The record's first byte. */
  start = 0;
  /** How many fields the record has. */
  count = 0;
  /** First byte of each field, without its opening quote. */
  readonly starts = new Int32Array(FIELDS_KEPT);
  /** The byte behind each field, without its closing quote. */
  readonly ends = new Int32Array(FIELDS_KEPT);
  /** 1 where the field holds doubled quotes, each of which stands for one. */
  readonly doubled = new Uint8Array(FIELDS_KEPT);
  /** Text follows a closing quote somewhere, so nobody can tell what was meant. */
  broken = false;
  /** The byte behind the record's text, before its line break. */
  textEnd = 0;
}

/** The window ends before the record does. */
export const INCOMPLETE = -1;
/** A quoted field is open at the end of the text. */
export const UNCLOSED = -2;
/** The record passes ROW_BYTES_MAX. */
export const TOO_LONG = -3;
/** A quoted field passes FIELD_BYTES_MAX, whether it ends or not. */
export const FIELD_TOO_LONG = -4;

/** Where in which bytes to look. `final`: no bytes come after the window. */
export interface CsvWindow {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly final: boolean;
  readonly separator: number;
}

/**
 * Reads the record that begins at `start`, and returns where the next one begins, or one of
 * INCOMPLETE, UNCLOSED, TOO_LONG and FIELD_TOO_LONG. The answer depends on the text alone, never
 * on where the window happens to end: a longer window changes nothing but INCOMPLETE.
 */
export function readRecord(record: CsvRecord, window: CsvWindow, start: number): number {
  const { bytes, end, separator } = window;
  const { starts, ends, doubled } = record;
  record.bytes = bytes;
  record.start = start;
  record.count = 0;
  record.broken = false;
  let at = start;
  for (;;) {
    const quoted = at < end && bytes[at] === QUOTE;
    const field = record.count;
    starts[field] = quoted ? at + 1 : at;
    doubled[field] = 0;
    if (quoted) {
      const close = closingQuote(record, window, at + 1);
      if (close < 0) return close;
      at = close + 1;
      ends[field] = close;
    }
    const textStart = at;
    for (; at < end; at += 1) {
      const byte = bytes[at];
      if (byte === separator || byte === LF || byte === CR) break;
    }
    if (!quoted) ends[field] = at;
    else if (at > textStart) record.broken = true;
    record.count = field + 1;
    if (at >= end || bytes[at] !== separator) return closeRecord(record, window, at);
    at += 1;
  }
}

/** The place of the quote that closes the field which begins at `first`. */
function closingQuote(record: CsvRecord, window: CsvWindow, first: number): number {
  const { bytes, end, final } = window;
  const fieldLimit = first + FIELD_BYTES_MAX;
  const rowLimit = record.start + ROW_BYTES_MAX;
  const limit = Math.min(fieldLimit, rowLimit);
  const stop = Math.min(end, limit + 1);
  for (let at = first; ; at += 2) {
    while (at < stop && bytes[at] !== QUOTE) at += 1;
    if (at > limit) return fieldLimit <= rowLimit ? FIELD_TOO_LONG : TOO_LONG;
    if (at >= end) return final ? UNCLOSED : INCOMPLETE;
    if (at + 1 >= end) return final ? at : INCOMPLETE;
    if (bytes[at + 1] !== QUOTE) return at;
    record.doubled[record.count] = 1;
  }
}

/** Steps over the line break at `at`. A CR at the end of a window may be half of a CRLF. */
function closeRecord(record: CsvRecord, window: CsvWindow, at: number): number {
  const { bytes, end, final } = window;
  if (at - record.start > ROW_BYTES_MAX) return TOO_LONG;

  record.textEnd = at;
  if (at >= end) return final ? end : INCOMPLETE;
  if (bytes[at] === LF) return at + 1;
  if (at + 1 >= end) return final ? end : INCOMPLETE;
  return bytes[at + 1] === LF ? at + 2 : at + 1;
}
