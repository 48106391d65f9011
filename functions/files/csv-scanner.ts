import { isUtf8 } from 'node:buffer';
import { KIB } from '../shared/units.ts';
import { readHeader } from './csv-header.ts';
import {
  CsvRecord,
  type CsvWindow,
  INCOMPLETE,
  ROW_BYTES_MAX,
  readRecord,
  UNCLOSED,
} from './csv-record.ts';
import { FileFault, type FileFaultCode, type RowFaultCode } from './file-fault.ts';

/** A row longer than this gets no alert: its event would not fit any receiver. */
export const ROW_BYTES_ACCEPTED = 64 * KIB;
const WINDOW_BYTES_FIRST = 256 * KIB;

/** Who takes what the scanner finds, in the order of the file. */
export interface CsvReader {
  /** The column names of the header line, trimmed. Called once, before any row. */
  header(names: readonly string[]): void;
  /** A well-formed row. The record is the scanner's own and is filled anew after the call. */
  row(record: CsvRecord, row: number, byte: number): void;
  /** A row that cannot be read, and why. */
  malformed(code: RowFaultCode, row: number, byte: number): void;
}

/**
 * Reads CSV text (RFC 4180, and the separators and line breaks people really use) from chunks
 * that may be cut anywhere. Rows are numbered from 1 without the header and without blank lines;
 * bytes count from the first byte of the file. Throws FileFault where the text cannot be rows.
 */
export class CsvScanner {
  /** Data rows so far, the malformed ones included. */
  rows = 0;
  readonly #reader: CsvReader;
  readonly #record = new CsvRecord();
  #bytes = new Uint8Array(WINDOW_BYTES_FIRST);
  #length = 0;
  /** Below this many bytes a look is in vain: a long record is not read again for each chunk. */
  #lengthWanted = 1;
  /** Where the window's first byte stands in the file. */
  #byteOfWindow = 0;
  #separator: number | undefined;
  #columns = 0;

  constructor(reader: CsvReader) {
    this.#reader = reader;
  }

  push(chunk: Uint8Array): void {
    this.#append(chunk);
    if (this.#length >= this.#lengthWanted) this.#scan(false);
  }

  /** No more bytes come. The last row may lack its line break. */
  end(): void {
    this.#scan(true);
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  #scan(final: boolean): void {
    const start = this.#separator === undefined ? this.#scanHeader(final) : 0;
    // Without a separator there is no header yet, or no text in the whole file.
    this.#keep(this.#separator === undefined ? start : this.#scanRows(start, final));
  }

  #scanHeader(final: boolean): number {
    const header = readHeader(this.#record, { bytes: this.#bytes, end: this.#length, final });
    if (header.next === INCOMPLETE) return 0;
    if (header.next < 0) this.#refuse(header.next, header.start);
    if (!header.names) return header.next;

    this.#separator = header.separator;
    this.#columns = header.names.length;
    this.#reader.header(header.names);
    return header.next;
  }

  /** Reads all complete records of the window and returns where the first incomplete one begins. */
  #scanRows(start: number, final: boolean): number {
    const window: CsvWindow = {
      bytes: this.#bytes,
      end: this.#length,
      final,
      separator: this.#separator ?? 0,
    };
    const clean = isUtf8(this.#bytes.subarray(start, endOfWholeCharacters(window)));
    const record = this.#record;
    let at = start;
    while (at < window.end) {
      const next = readRecord(record, window, at);
      if (next === INCOMPLETE) break;
      if (next < 0) this.#refuse(next, at);
      if (record.textEnd > at) this.#take(record, clean);
      at = next;
    }
    return at;
  }

  #take(record: CsvRecord, clean: boolean): void {
    this.rows += 1;
    const byte = this.#byteOfWindow + record.start;
    const fault = this.#faultOf(record, clean);
    if (fault) this.#reader.malformed(fault, this.rows, byte);
    else this.#reader.row(record, this.rows, byte);
  }

  #faultOf(record: CsvRecord, clean: boolean): RowFaultCode | undefined {
    if (record.textEnd - record.start > ROW_BYTES_ACCEPTED) return 'row_too_long';
    if (!clean && !isUtf8(record.bytes.subarray(record.start, record.textEnd))) return 'not_utf8';
    if (record.broken) return 'text_after_quote';
    if (record.count !== this.#columns) return 'column_count';
    return undefined;
  }

  /** Moves what is not read yet to the front of the window. */
  #keep(from: number): void {
    this.#bytes.copyWithin(0, from, this.#length);
    this.#length -= from;
    this.#byteOfWindow += from;
    this.#lengthWanted = 2 * this.#length;
  }

  #refuse(reason: number, at: number): never {
    const code: FileFaultCode = reason === UNCLOSED ? 'unclosed_quote' : 'row_too_long';
    const row = this.#separator === undefined ? 0 : this.rows + 1;
    const byte = this.#byteOfWindow + at;
    const name = row === 0 ? 'The header line' : `Row ${row}`;
    const detail =
      reason === UNCLOSED
        ? `${name} has a quoted field without a closing quote.`
        : `${name} is longer than ${ROW_BYTES_MAX} bytes.`;
    throw new FileFault({ code, row, byte, detail });
  }
}

/** A window may end within a character. Its bytes do not speak against those before it. */
function endOfWholeCharacters({ bytes, end, final }: CsvWindow): number {
  if (final) return end;

  for (let at = end - 1; at >= Math.max(0, end - 3); at -= 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) return end;
    if (byte >= 0xc0) return at;
  }
  return end;
}
