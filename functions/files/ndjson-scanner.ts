import { isUtf8 } from 'node:buffer';
import { LF, ROW_BYTES_ACCEPTED, ROW_BYTES_MAX } from './csv-record.ts';
import { FileFault, type RowFaultCode } from './file-fault.ts';
import { type JsonField, readJsonObject } from './json-row.ts';
import type { TextEncoding } from './text-encoding.ts';
import { TextScanner } from './text-scanner.ts';

const BOM = [0xef, 0xbb, 0xbf];
/** What JSON takes for blank. */
const BLANKS = new Set([0x20, 0x09, 0x0d]);

/** Who takes what the scanner finds, in the order of the file. */
export interface NdjsonReader {
  /** A row: the top-level fields of its object. */
  object(fields: readonly JsonField[], row: number, byte: number): void;
  /** A row that cannot be read, and why. */
  malformed(code: RowFaultCode, row: number, byte: number): void;
}

/**
 * Reads one JSON object from each line of a UTF-8 text that comes in chunks cut anywhere. Rows
 * are numbered from 1 without blank lines; bytes count as in `CsvScanner`. Throws FileFault where
 * a line is too long to be a row.
 */
export class NdjsonScanner extends TextScanner {
  readonly #reader: NdjsonReader;
  #isAtStart = true;

  constructor(reader: NdjsonReader, encoding?: TextEncoding) {
    super(encoding);
    this.#reader = reader;
  }

  protected scan(final: boolean): number {
    const text = this.window.bytes.subarray(0, this.window.length);
    // Too few bytes for the mark, which a window of one or two could be the front of.
    if (this.#isAtStart && text.length < BOM.length && !final) return 0;
    let at = this.#isAtStart && BOM.every((byte, i) => text[i] === byte) ? BOM.length : 0;
    this.#isAtStart = false;
    while (at < text.length && !this.isPaused) {
      const lineBreak = text.indexOf(LF, at);
      const end = lineBreak < 0 ? text.length : lineBreak;
      if (end - at > ROW_BYTES_MAX) this.#refuse(at);
      if (lineBreak < 0 && !final) break;
      this.#take(text, at, end);
      at = end + 1;
    }
    return Math.min(at, text.length);
  }

  #take(text: Uint8Array, from: number, to: number): void {
    let [start, end] = [from, to];
    while (start < end && BLANKS.has(text[start] ?? 0)) start += 1;
    while (end > start && BLANKS.has(text[end - 1] ?? 0)) end -= 1;
    if (start === end) return;

    this.rows += 1;
    const byte = this.window.byteAt(start);
    const line = text.subarray(start, end);
    if (line.length > ROW_BYTES_ACCEPTED) {
      this.#reader.malformed('row_too_long', this.rows, byte);
    } else if (!isUtf8(line)) this.#reader.malformed('not_utf8', this.rows, byte);
    else this.#takeText(Buffer.from(line.buffer, line.byteOffset, line.length).toString(), byte);
  }

  #takeText(text: string, byte: number): void {
    const fields = readJsonObject(text);
    if (fields) this.#reader.object(fields, this.rows, byte);
    else this.#reader.malformed('json_invalid', this.rows, byte);
  }

  #refuse(at: number): never {
    const row = this.rows + 1;
    throw new FileFault({
      code: 'row_too_long',
      row,
      byte: this.window.byteAt(at),
      detail: `Row ${row} is longer than ${ROW_BYTES_MAX} bytes.`,
    });
  }
}
