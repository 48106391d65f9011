import { type AlertOrder, CsvUsers } from './csv-users.ts';
import type { RowFault } from './file-fault.ts';
import { FRONT_BYTES, sniffFile } from './file-sniff.ts';
import type { FileTerms } from './file-terms.ts';
import { NdjsonUsers } from './ndjson-users.ts';
import type { Segment } from './segments.ts';
import { originalBytesIn, type Transcoder, transcoderFor } from './text-encoding.ts';
import { type RowCounts, UserRows } from './user-rows.ts';

export type { RowCounts } from './user-rows.ts';

/** What a file is read for, and what is known of its form. */
export type ReadingOrder = AlertOrder &
  Partial<Pick<FileTerms, 'format' | 'encoding' | 'onMalformed'>>;

/**
 * One reading of a file from its first byte to its last: unpacked bytes in, segments of alert
 * lines out. It touches nothing outside itself, so a reading that was cut off is simply begun
 * again. Throws FileFault where the file cannot be read.
 */
export class FileReading {
  readonly #order: ReadingOrder;
  readonly #users: UserRows;
  #front: Uint8Array = new Uint8Array(0);
  #transcoder: Transcoder | undefined;
  #rows: CsvUsers | NdjsonUsers | undefined;

  constructor(order: ReadingOrder) {
    this.#order = order;
    this.#users = new UserRows(order.onMalformed ?? 'ask');
  }

  push(chunk: Uint8Array): void {
    if (this.#rows) {
      this.#read(chunk);
      return;
    }
    this.#front = Buffer.concat([this.#front, chunk]);
    if (this.#front.length >= FRONT_BYTES) this.#begin();
  }

  /** No more bytes come. */
  end(): void {
    if (!this.#rows) this.#begin();
    if (this.#transcoder) this.#rows?.push(this.#transcoder.end());
    this.#rows?.end();
  }

  /** The segments that were finished since the last call. */
  takeSegments(): readonly Segment[] {
    return this.#rows?.segments?.finished.splice(0) ?? [];
  }

  get counts(): RowCounts {
    return this.#users.counts;
  }

  /** The first malformed rows. */
  get faults(): readonly RowFault[] {
    return this.#users.faults;
  }

  get blocks(): number {
    return this.#rows?.segments?.blocks ?? 0;
  }

  /** The block index: where each block's lines lie. */
  get index(): Uint8Array {
    return this.#rows?.segments?.index() ?? new Uint8Array(0);
  }

  #begin(): void {
    const { format, encoding } = sniffFile(this.#front.subarray(0, FRONT_BYTES), this.#order);
    const originalBytes = originalBytesIn(encoding);
    const Users = format === 'csv' ? CsvUsers : NdjsonUsers;
    this.#rows = new Users(this.#order, this.#users, originalBytes);
    this.#transcoder = transcoderFor(encoding);
    const front = this.#front;
    this.#front = new Uint8Array(0);
    this.#read(front);
  }

  #read(chunk: Uint8Array): void {
    if (this.#transcoder) this.#rows?.push(this.#transcoder.push(chunk));
  }
}
