import { AlertLines, type AlertShape, FRAME_BYTES_MAX } from './alert-line.ts';
import { columnKeys, findIdColumn } from './csv-header.ts';
import type { CsvRecord } from './csv-record.ts';
import { type CsvReader, CsvScanner } from './csv-scanner.ts';
import { type FileError, FileFault, type RowFault, type RowFaultCode } from './file-fault.ts';
import { IdSet } from './id-set.ts';
import { type Segment, Segments } from './segments.ts';

/** An id above this is no id. */
export const ID_BYTES_MAX = 256;
/** Of the rows without an alert, this many are listed one by one. All are counted. */
export const FAULTS_LISTED_MAX = 10_000;

const HEADER_TOO_LONG: FileError = {
  code: 'row_too_long',
  row: 0,
  byte: 0,
  detail:
    'The names of the header line, which are repeated in each alert, would make each longer than ' +
    `${FRAME_BYTES_MAX} bytes. Shorten them, or leave columns out.`,
};

/** What a file is read for. */
export interface ReadingOrder extends Omit<AlertShape, 'columns' | 'idColumn'> {
  /** A name of the header line, or the number of a column, the first of which is 1. */
  readonly idColumn: string | number;
}

/** rows = alerts + duplicates + malformed. */
export interface RowCounts {
  readonly rows: number;
  readonly alerts: number;
  readonly duplicates: number;
  readonly malformed: number;
}

/**
 * One reading of a file from its first byte to its last: bytes in, segments of alert lines out.
 * It touches nothing outside itself, so a reading that was cut off is simply begun again.
 * Throws FileFault where the file cannot be read.
 */
export class FileReading implements CsvReader {
  /** The first malformed rows. */
  readonly faults: RowFault[] = [];
  readonly #order: ReadingOrder;
  readonly #scanner = new CsvScanner(this);
  readonly #ids = new IdSet();
  #segments: Segments | undefined;
  #idColumn = 0;
  #duplicates = 0;
  #malformed = 0;

  constructor(order: ReadingOrder) {
    this.#order = order;
  }

  push(chunk: Uint8Array): void {
    this.#scanner.push(chunk);
  }

  /** No more bytes come. */
  end(): void {
    this.#scanner.end();
    this.#segments?.end();
  }

  /** The segments that were finished since the last call. */
  takeSegments(): readonly Segment[] {
    return this.#segments?.finished.splice(0) ?? [];
  }

  get counts(): RowCounts {
    const { rows } = this.#scanner;
    const [duplicates, malformed] = [this.#duplicates, this.#malformed];
    return { rows, alerts: this.#ids.size, duplicates, malformed };
  }

  get blocks(): number {
    return this.#segments?.blocks ?? 0;
  }

  /** The block index: where each block's lines lie. */
  get index(): Uint8Array {
    return this.#segments?.index() ?? new Uint8Array(0);
  }

  header(names: readonly string[]): void {
    const { idColumn, ...order } = this.#order;
    this.#idColumn = findIdColumn(names, idColumn);
    const shape = { ...order, columns: columnKeys(names), idColumn: this.#idColumn };
    const lines = new AlertLines(shape);
    if (lines.frameBytes > FRAME_BYTES_MAX) throw new FileFault(HEADER_TOO_LONG);
    this.#segments = new Segments(lines);
  }

  row(record: CsvRecord, row: number, byte: number): void {
    const id = fieldBytes(record, this.#idColumn);
    if (id.length === 0) this.malformed('id_empty', row, byte);
    else if (id.length > ID_BYTES_MAX) this.malformed('id_too_long', row, byte);
    else if (this.#ids.add(id)) this.#segments?.add(record, row);
    else this.#duplicates += 1;
  }

  malformed(code: RowFaultCode, row: number, byte: number): void {
    this.#malformed += 1;
    if (this.faults.length < FAULTS_LISTED_MAX) this.faults.push({ row, byte, code });
  }
}

/** The field's own bytes; doubled quotes become one. */
function fieldBytes(record: CsvRecord, field: number): Uint8Array {
  const bytes = record.bytes.subarray(record.starts[field], record.ends[field]);
  if (record.doubled[field] === 0) return bytes;
  // One character for each byte, so that nothing but the quotes changes.
  return Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('""', '"'), 'latin1');
}
