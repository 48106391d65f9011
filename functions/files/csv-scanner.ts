import { isUtf8 } from 'node:buffer';
import { KIB } from '../shared/units.ts';
import { readHeader } from './csv-header.ts';
import {
  CsvRecord,
  type CsvWindow,
  FIELD_BYTES_MAX,
  FIELD_TOO_LONG,
  INCOMPLETE,
  ROW_BYTES_ACCEPTED,
  ROW_BYTES_MAX,
  readRecord,
  UNCLOSED,
} from './csv-record.ts';
import { FileFault, type FileFaultCode, type RowFaultCode } from './file-fault.ts';
import type { TextEncoding } from './text-encoding.ts';
import { TextScanner } from './text-scanner.ts';

interface Refusal {
  readonly code: FileFaultCode;
  readonly how: string;
}

const ROW_TOO_LONG: Refusal = {
  code: 'row_too_long',
  how: `is longer than ${ROW_BYTES_MAX} bytes`,
};

/** By what `readRecord` answers. */
const REFUSALS: Readonly<Record<number, Refusal>> = {
  [UNCLOSED]: { code: 'unclosed_quote', how: 'has a quoted field without a closing quote' },
  [FIELD_TOO_LONG]: {
    code: 'unclosed_quote',
    how: `has a quoted field that does not end within ${FIELD_BYTES_MAX / KIB} KiB`,
  },
};

/** Who takes what the scanner finds, in the order of the file. */
export interface CsvReader {
  /** The column names of the header line, trimmed, and where it begins. Called before any row. */
  header(names: readonly string[], byte: number): void;
  /** A well-formed row. The record is the scanner's own and is filled anew after the call. */
  row(record: CsvRecord, row: number, byte: number): void;
  /** A row that cannot be read, and why. */
  malformed(code: RowFaultCode, row: number, byte: number): void;
}

/**
 * Reads CSV text (RFC 4180, and the separators and line breaks people really use) from chunks
 * that may be cut anywhere, and are UTF-8. Rows are numbered from 1 without the header and without
 * blank lines; bytes count from the first byte of the file as it was before it became UTF-8.
 * Throws FileFault where the text cannot be rows.
 */
export class CsvScanner extends TextScanner {
  readonly #reader: CsvReader;
  readonly #record = new CsvRecord();
  #separator: number | undefined;
  #columns = 0;

  constructor(reader: CsvReader, encoding?: TextEncoding) {
    super(encoding);
    this.#reader = reader;
  }

  protected scan(final: boolean): number {
    const start = this.#separator === undefined ? this.#scanHeader(final) : 0;
    // Without a separator there is no header yet, or no text in the whole file.
    return this.#separator === undefined ? start : this.#scanRows(start, final);
  }

  #scanHeader(final: boolean): number {
    const { bytes, length } = this.window;
    const byteAt = (place: number) => this.window.byteAt(place);
    const window = { bytes, end: length, final };
    const header = readHeader(this.#record, window, { byteAt, encoding: this.encoding });
    if (header.next === INCOMPLETE) return 0;
    if (header.next < 0) this.#refuse(header.next, header.start);
    if (!header.names) return header.next;

    this.#separator = header.separator;
    this.#columns = header.names.length;
    this.#reader.header(header.names, byteAt(header.start));
    return header.next;
  }

  /** Reads complete records of the window and returns where the first one begins that is left. */
  #scanRows(start: number, final: boolean): number {
    const { bytes, length: end } = this.window;
    const window: CsvWindow = { bytes, end, final, separator: this.#separator ?? 0 };
    const clean = isUtf8(bytes.subarray(start, endOfWholeCharacters(window)));
    const record = this.#record;
    let at = start;
    while (at < window.end && !this.isPaused) {
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
    const byte = this.window.byteAt(record.start);
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

  #refuse(reason: number, at: number): never {
    const { code, how } = REFUSALS[reason] ?? ROW_TOO_LONG;
    const row = this.#separator === undefined ? 0 : this.rows + 1;
    const byte = this.window.byteAt(at);
    const name = row === 0 ? 'The header line' : `Row ${row}`;
    throw new FileFault({ code, row, byte, detail: `${name} ${how}.` });
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
