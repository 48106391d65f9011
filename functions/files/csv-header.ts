import { isUtf8 } from 'node:buffer';
import {
  CR,
  type CsvRecord,
  type CsvWindow,
  FIELDS_KEPT,
  INCOMPLETE,
  LF,
  QUOTE,
  ROW_BYTES_MAX,
  readRecord,
  TOO_LONG,
} from './csv-record.ts';
import { FileFault, type FileFaultCode } from './file-fault.ts';
import type { TextEncoding } from './text-encoding.ts';

/** In the order in which they win when a header has as many of one as of another. */
const SEPARATORS = [',', ';', '\t', '|'].map((it) => it.charCodeAt(0));
const BOM = [0xef, 0xbb, 0xbf];

export interface CsvHeader {
  /** The header line's first byte. */
  readonly start: number;
  /** Where the first row begins; or why there is none, as `readRecord` answers it. */
  readonly next: number;
  readonly separator: number;
  /** Absent while the header is incomplete, and when a file without any text is at its end. */
  readonly names?: readonly string[];
}

/** The file as it was before it became UTF-8. */
interface Original {
  /** Where a place of the window stands in it. */
  readonly byteAt: (place: number) => number;
  readonly encoding: TextEncoding;
}

/**
 * Reads the header line at the front of a file: its first line that is not blank. The separator
 * is the candidate which stands there most often outside of quotes.
 */
export function readHeader(
  record: CsvRecord,
  window: Omit<CsvWindow, 'separator'>,
  { byteAt, encoding }: Original,
): CsvHeader {
  const { bytes, end, final } = window;
  let start = BOM.every((byte, i) => bytes[i] === byte && i < end) ? BOM.length : 0;
  while (start < end && (bytes[start] === LF || bytes[start] === CR)) start += 1;
  const none = { start, separator: 0 };
  if (start > ROW_BYTES_MAX) return { ...none, next: TOO_LONG };
  if (start >= end) return { ...none, next: final ? end : INCOMPLETE };

  const separator = sniffSeparator(bytes, start, end);
  const next = readRecord(record, { ...window, separator }, start);
  if (next < 0) return { ...none, next };
  if (record.count > FIELDS_KEPT) return { ...none, next: TOO_LONG };

  if (!isUtf8(bytes.subarray(start, record.textEnd))) {
    refuse('not_text', byteAt(start), noText(encoding));
  }
  if (record.broken) {
    refuse('no_id_column', byteAt(start), 'Text follows a closing quote in the header line.');
  }
  return { start, next, separator, names: namesOf(record) };
}

function noText(encoding: TextEncoding): string {
  return (
    `The header line is not ${encoding.toUpperCase()} text. Name the \`encoding\` in which the ` +
    'file is written, or save it as UTF-8.'
  );
}

function refuse(code: FileFaultCode, byte: number, detail: string): never {
  throw new FileFault({ code, row: 0, byte, detail });
}

/** Counts the candidates up to the first line break, both outside of quotes. */
function sniffSeparator(bytes: Uint8Array, start: number, end: number): number {
  const counts = SEPARATORS.map(() => 0);
  let quoted = false;
  let fieldStart = true;
  // The next quote is the second half of a doubled one, if it follows at once.
  let closedAt = -1;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      if (quoted) closedAt = at;
      quoted = quoted ? false : fieldStart || closedAt === at - 1;
    }
    if (quoted) continue;
    if (byte === LF || byte === CR) break;

    const candidate = SEPARATORS.indexOf(byte);
    fieldStart = candidate >= 0;
    if (fieldStart) counts[candidate] = (counts[candidate] ?? 0) + 1;
  }
  return SEPARATORS[counts.indexOf(Math.max(...counts))] ?? 0;
}

function namesOf(record: CsvRecord): string[] {
  const text = new TextDecoder();
  return Array.from({ length: record.count }, (_, i) => {
    const name = text.decode(record.bytes.subarray(record.starts[i], record.ends[i]));
    return (record.doubled[i] ? name.replaceAll('""', '"') : name).trim();
  });
}

/**
 * The id column's place among the names, counted from 0. `wanted` is a header name, or the
 * number of a column, where the first one is 1. `byte` is where the header begins.
 */
export function findIdColumn(
  names: readonly string[],
  wanted: string | number,
  byte: number,
): number {
  if (typeof wanted === 'number') {
    if (wanted >= 1 && wanted <= names.length) return wanted - 1;
    return refuse('no_id_column', byte, `The header line has no column number ${wanted}.`);
  }
  const name = wanted.trim();
  const place = names.indexOf(name);
  if (place < 0) refuse('no_id_column', byte, `The header line names no column "${name}".`);
  if (names.lastIndexOf(name) !== place) {
    refuse('id_column_twice', byte, `The header line names the column "${name}" more than once.`);
  }
  return place;
}

/**
 * The keys under which the columns stand in an alert. A name that came before gets a number
 * behind it and a nameless column is called after its place, so that no value is lost.
 */
export function columnKeys(names: readonly string[]): string[] {
  const taken = new Set<string>(names);
  /** The next number to try behind each name that came before. */
  const next = new Map<string, number>();
  return names.map((name, i) => {
    if (name !== '' && !next.has(name)) {
      next.set(name, 2);
      return name;
    }
    const stem = name === '' ? 'column' : name;
    let number = name === '' ? i + 1 : (next.get(name) ?? 2);
    while (taken.has(`${stem}_${number}`)) number += 1;
    taken.add(`${stem}_${number}`);
    if (name !== '') next.set(name, number + 1);
    return `${stem}_${number}`;
  });
}
