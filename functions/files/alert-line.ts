import { KIB } from '../shared/units.ts';
import type { CsvRecord } from './csv-record.ts';
import { LineBuffer } from './line-buffer.ts';

const QUOTE = 0x22;
/** No byte of a JSON string takes more: `\u001f`. */
const ESCAPED_BYTES_MAX = 6;
/** Of a row's number. */
const DIGITS_MAX = 16;
/** The names of the columns are repeated in each alert; above this they are no names. */
export const FRAME_BYTES_MAX = 64 * KIB;

const encoder = new TextEncoder();

/** How each byte below 0x80 that cannot stand for itself in a JSON string is written. */
const ESCAPES: readonly (Uint8Array | undefined)[] = Array.from({ length: 256 }, (_, byte) => {
  const text = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  return byte < 0x80 && text.length > 1 ? encoder.encode(text) : undefined;
});
const PLAIN = Uint8Array.from(ESCAPES, (it) => (it ? 0 : 1));

/** What all alerts of a file have in common. */
export interface AlertShape {
  readonly fileId: string;
  readonly fileName: string;
  /** Pieces of text, and the places of columns whose values stand between them. */
  readonly message?: readonly (string | number)[] | undefined;
  /** The key of each column, in the order of the file. */
  readonly columns: readonly string[];
  /** The place of the user id's column, from 0. It is not repeated among the columns. */
  readonly idColumn: number;
}

/**
 * Writes one line for each user: the `data` of the alert as it goes out, so that the first
 * attempt, a retry and a resend after a crash all send these very bytes.
 */
export class AlertLines extends LineBuffer {
  /** Bytes of each line beside the user's id, the row's number and the values of the columns. */
  readonly frameBytes: number;
  readonly #idColumn: number;
  readonly #openers: readonly Uint8Array[];
  readonly #open = encoder.encode('{"userId":"');
  readonly #message: readonly (Uint8Array | number)[];
  /** Of the message's own words, as they are read. */
  readonly #wordBytes: number;
  readonly #beforeRow: Uint8Array;
  readonly #afterRow: Uint8Array;
  readonly #close = encoder.encode('}}\n');

  constructor({ fileId, fileName, message, columns, idColumn }: AlertShape) {
    super();
    const file = `"fileId":${JSON.stringify(fileId)},"fileName":${JSON.stringify(fileName)}`;
    this.#idColumn = idColumn;
    this.#message = message ? encodeMessage(message) : [];
    const words = message?.filter((it) => typeof it === 'string') ?? [];
    this.#wordBytes = Buffer.byteLength(words.join(''));
    this.#beforeRow = encoder.encode('","row":');
    this.#afterRow = encoder.encode(`,${file},"columns":{`);
    const first = idColumn === 0 ? 1 : 0;
    this.#openers = columns.map((key, i) =>
      encoder.encode(`${i === first ? '' : ','}${JSON.stringify(key)}:"`),
    );
    const used = this.#openers.filter((_, i) => i !== idColumn);
    const fixed = this.#message.filter((it) => typeof it !== 'number');
    const frame = [this.#open, ...fixed, this.#beforeRow, this.#afterRow, this.#close, ...used];
    // One closing quote for each column.
    this.frameBytes = frame.reduce((sum, it) => sum + it.length, used.length);
  }

  /** Appends the line of one row. */
  add(record: CsvRecord, row: number): void {
    const bytesOfFields = record.textEnd - record.start + this.messageBytes(record);
    this.makeRoom(this.frameBytes + DIGITS_MAX + ESCAPED_BYTES_MAX * bytesOfFields);
    this.#put(this.#open);
    this.#putField(record, this.#idColumn);
    for (const part of this.#message) {
      if (typeof part === 'number') this.#putField(record, part);
      else this.#put(part);
    }
    this.#put(this.#beforeRow);
    this.#putNumber(row);
    this.#put(this.#afterRow);
    for (let i = 0; i < this.#openers.length; i += 1) {
      const opener = this.#openers[i];
      if (i === this.#idColumn || !opener) continue;
      this.#put(opener);
      this.#putField(record, i);
      this.bytes[this.length++] = QUOTE;
    }
    this.#put(this.#close);
  }

  /** How long the message of this row is for whoever reads it: each doubled quote is one. */
  messageBytes(record: CsvRecord): number {
    let bytes = this.#wordBytes;
    for (const part of this.#message) {
      if (typeof part === 'number') bytes += fieldBytes(record, part);
    }
    return bytes;
  }

  #put(text: Uint8Array): void {
    const bytes = this.bytes;
    let to = this.length;
    for (let i = 0; i < text.length; i += 1) bytes[to++] = text[i] ?? 0;
    this.length = to;
  }

  #putField(record: CsvRecord, field: number): void {
    const from = record.bytes;
    const end = record.ends[field] ?? 0;
    const doubled = record.doubled[field] === 1;
    const bytes = this.bytes;
    let to = this.length;
    for (let at = record.starts[field] ?? end; at < end; at += 1) {
      const byte = from[at] ?? 0;
      if (PLAIN[byte] === 1) {
        bytes[to++] = byte;
        continue;
      }
      const escaped = ESCAPES[byte] ?? [];
      for (let i = 0; i < escaped.length; i += 1) bytes[to++] = escaped[i] ?? 0;
      if (doubled && byte === QUOTE) at += 1;
    }
    this.length = to;
  }

  #putNumber(value: number): void {
    const digits = String(value);
    for (let i = 0; i < digits.length; i += 1) {
      this.bytes[this.length++] = digits.charCodeAt(i);
    }
  }
}

/** The length of a field's value. */
function fieldBytes({ bytes, starts, ends, doubled }: CsvRecord, field: number): number {
  const end = ends[field] ?? 0;
  const start = starts[field] ?? end;
  let quotes = 0;
  if (doubled[field] === 1) {
    for (let at = start; at < end; at += 1) if (bytes[at] === QUOTE) quotes += 1;
  }
  return end - start - quotes / 2;
}

/** The message as the part of a line between the id's last byte and its closing quote. */
function encodeMessage(parts: readonly (string | number)[]): (Uint8Array | number)[] {
  const encoded = parts.map((it) =>
    typeof it === 'number' ? it : encoder.encode(JSON.stringify(it).slice(1, -1)),
  );
  return [encoder.encode('","message":"'), ...encoded];
}
