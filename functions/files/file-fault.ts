/** Why one row gets no alert, while the rest of its file does. */
export const ROW_FAULT_CODES = [
  'id_empty',
  'id_too_long',
  'not_utf8',
  'column_count',
  'text_after_quote',
  'json_invalid',
  'row_too_long',
  'message_column_missing',
] as const;

/** Why a file cannot be read at all. Nothing of it is sent. */
export const FILE_FAULT_CODES = [
  'no_id_column',
  'id_column_twice',
  'unclosed_quote',
  'archive_truncated',
  'archive_ratio',
  'file_too_large',
  'not_text',
  'xlsx',
  'size_mismatch',
  'unreadable',
  'endpoint_not_found',
  'not_found',
  'metadata_invalid',
  // A single row is enough where the file was announced so.
  ...ROW_FAULT_CODES,
] as const;

export type RowFaultCode = (typeof ROW_FAULT_CODES)[number];
export type FileFaultCode = (typeof FILE_FAULT_CODES)[number];

/** What is wrong with a file. `row` 0 is the header line; `byte` is the first byte of that row. */
export interface FileError {
  readonly code: FileFaultCode;
  readonly row?: number | undefined;
  readonly byte?: number | undefined;
  /** A sentence for a person. */
  readonly detail: string;
}

/** Thrown while a file is read, to end the reading: the file becomes `failed`. */
export class FileFault extends Error {
  override readonly name = 'FileFault';
  readonly facts: FileError;

  constructor(facts: FileError) {
    super(facts.detail);
    this.facts = facts;
  }
}

/** One line of the list of rows that got no alert. */
export interface RowFault {
  readonly row: number;
  readonly byte: number;
  readonly code: RowFaultCode;
}

/** How many rows are malformed in each way. */
export type RowFaultTotals = Readonly<Partial<Record<RowFaultCode, number>>>;

/** Of the rows without an alert, this many are listed one by one. All are counted. */
export const FAULTS_LISTED_MAX = 10_000;
