import { type MessagePart, messageParts } from '../shared/message-template.ts';
import { AlertLines, FRAME_BYTES_MAX } from './alert-line.ts';
import { columnKeys, findIdColumn } from './csv-header.ts';
import { type CsvRecord, ROW_BYTES_ACCEPTED } from './csv-record.ts';
import { type CsvReader, CsvScanner } from './csv-scanner.ts';
import { type FileError, FileFault, type RowFaultCode } from './file-fault.ts';
import { Segments } from './segments.ts';
import type { TextEncoding } from './text-encoding.ts';
import { idFault, type UserRows } from './user-rows.ts';

const HEADER_TOO_LONG: FileError = {
  code: 'row_too_long',
  row: 0,
  detail:
    'The names of the header line, which are repeated in each alert, would make each longer than ' +
    `${FRAME_BYTES_MAX} bytes. Shorten them, or leave columns out.`,
};

/** What the alerts of a file say. */
export interface AlertOrder {
  readonly fileId: string;
  readonly fileName: string;
  readonly message?: string | undefined;
  /** The name of a column; or in CSV its number, where the first is 1. */
  readonly idColumn: string | number;
}

/** Makes alerts from the rows of a CSV text. */
export class CsvUsers implements CsvReader {
  /** Undefined before the header line. */
  segments: Segments | undefined;
  readonly scanner: CsvScanner;
  readonly #order: AlertOrder;
  readonly #users: UserRows;
  #lines: AlertLines | undefined;
  #idColumn = 0;
  /** The message names a column that the header does not. */
  #lacksColumn = false;

  constructor(order: AlertOrder, users: UserRows, encoding: TextEncoding) {
    this.#order = order;
    this.#users = users;
    this.scanner = new CsvScanner(this, encoding);
  }

  /** The scan is at its end. */
  end(): void {
    this.segments?.end();
  }

  header(names: readonly string[], byte: number): void {
    const { idColumn, message, ...order } = this.#order;
    this.#idColumn = findIdColumn(names, idColumn, byte);
    const columns = columnKeys(names);
    const parts = messageParts(message ?? '').map((it) => placeIn(columns, it));
    this.#lacksColumn = parts.includes(-1);
    const shape = { ...order, columns, idColumn: this.#idColumn };
    this.#lines = new AlertLines(message === undefined ? shape : { ...shape, message: parts });
    const { frameBytes } = this.#lines;
    if (frameBytes > FRAME_BYTES_MAX) throw new FileFault({ ...HEADER_TOO_LONG, byte });
    this.segments = new Segments(this.#lines);
  }

  row(record: CsvRecord, row: number, byte: number): void {
    const id = fieldBytes(record, this.#idColumn);
    const fault = idFault(id) ?? this.#messageFault(record);
    if (fault) this.malformed(fault, row, byte);
    else if (this.#users.add(id)) {
      this.#lines?.add(record, row);
      if (this.segments?.endLine()) this.scanner.pause();
    }
  }

  malformed(code: RowFaultCode, row: number, byte: number): void {
    this.#users.malformed(code, row, byte);
  }

  #messageFault(record: CsvRecord): RowFaultCode | undefined {
    if (this.#lacksColumn) return 'message_column_missing';
    const bytes = this.#lines?.messageBytes(record) ?? 0;
    return bytes > ROW_BYTES_ACCEPTED ? 'row_too_long' : undefined;
  }
}

/** A column's place instead of its name; -1 where there is none. */
function placeIn(columns: readonly string[], part: MessagePart): string | number {
  return typeof part === 'string' ? part : columns.indexOf(part.column);
}

/** The field's own bytes; doubled quotes become one. */
function fieldBytes(record: CsvRecord, field: number): Uint8Array {
  const bytes = record.bytes.subarray(record.starts[field], record.ends[field]);
  if (record.doubled[field] === 0) return bytes;
  // One character for each byte, so that nothing but the quotes changes.
  return Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('""', '"'), 'latin1');
}
