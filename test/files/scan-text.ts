import type { CsvRecord } from '../../functions/files/csv-record.ts';
import { CsvScanner } from '../../functions/files/csv-scanner.ts';
import { type FileError, FileFault, type RowFault } from '../../functions/files/file-fault.ts';

/** All that the scanner tells about one text. */
export interface Scan {
  header?: readonly string[];
  rows: string[][];
  /** The first byte of each row in `rows`. */
  bytes: number[];
  malformed: RowFault[];
  fault?: FileError;
}

/** Scans a text that comes in the given chunks. */
export function scanChunks(chunks: readonly Uint8Array[]): Scan {
  const scan: Scan = { rows: [], bytes: [], malformed: [] };
  const scanner = new CsvScanner({
    header: (names) => {
      scan.header = names;
    },
    row: (record, _row, byte) => {
      scan.rows.push(fieldsOf(record));
      scan.bytes.push(byte);
    },
    malformed: (code, row, byte) => scan.malformed.push({ code, row, byte }),
  });
  try {
    for (const chunk of chunks) scanner.push(chunk);
    scanner.end();
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    scan.fault = error.facts;
  }
  return scan;
}

export function scanText(text: string | Uint8Array): Scan {
  return scanChunks([typeof text === 'string' ? Buffer.from(text) : text]);
}

/** The text in pieces that end at the given places. */
export function cutAt(text: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places)].filter((it) => it < text.length).sort((a, b) => a - b);
  return [...ends, text.length].map((end, i) => text.slice(i === 0 ? 0 : ends[i - 1], end));
}

function fieldsOf(record: CsvRecord): string[] {
  return Array.from({ length: record.count }, (_, i) => {
    const bytes = record.bytes.subarray(record.starts[i], record.ends[i]);
    const text = Buffer.from(bytes).toString();
    return record.doubled[i] === 1 ? text.replaceAll('""', '"') : text;
  });
}
