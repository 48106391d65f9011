import { type AlertOrder, CsvUsers } from './csv-users.ts';
import type { RowFault } from './file-fault.ts';
import { FRONT_BYTES, sniffFile } from './file-sniff.ts';
import type { FileTerms } from './file-terms.ts';
import { NdjsonUsers } from './ndjson-users.ts';
import type { Segment } from './segments.ts';
import { type Transcoder, transcoderFor } from './text-encoding.ts';
import { type RowCounts, UserRows } from './user-rows.ts';

export type { RowCounts } from './user-rows.ts';

/** What a file is read for, and what is known of its form. */
export type ReadingOrder = AlertOrder &
  Partial<Pick<FileTerms, 'format' | 'encoding' | 'onMalformed'>>;

/**
 * One reading of a file from its first byte to its last: unpacked bytes in, segments of alert
 * lines out, each of which has to be used before the next one is asked for. It touches nothing
 * outside itself, so a reading that was cut off is simply begun again. Throws FileFault where the
 * file cannot be read.
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

  /** Reads on, as far as whoever asks takes the segments that come of it. */
  *read(chunk: Uint8Array): Generator<Segment> {
    if (this.#rows) {
      yield* this.#scan(chunk);
      return;
    }
    this.#front = Buffer.concat([this.#front, chunk]);
    if (this.#front.length >= FRONT_BYTES) yield* this.#begin();
  }

  /** No more bytes come. */
  *end(): Generator<Segment> {
    if (!this.#rows) yield* this.#begin();
    if (this.#transcoder) yield* this.#scanText(this.#transcoder.end());
    this.#rows?.scanner.end();
    yield* this.#finished();
    this.#rows?.end();
    yield* this.#finished();
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

  *#begin(): Generator<Segment> {
    const { format, encoding } = sniffFile(this.#front.subarray(0, FRONT_BYTES), this.#order);
    const Users = format === 'csv' ? CsvUsers : NdjsonUsers;
    this.#rows = new Users(this.#order, this.#users, encoding);
    this.#transcoder = transcoderFor(encoding);
    const front = this.#front;
    this.#front = new Uint8Array(0);
    yield* this.#scan(front);
  }

  *#scan(chunk: Uint8Array): Generator<Segment> {
    if (this.#transcoder) yield* this.#scanText(this.#transcoder.push(chunk));
  }

  *#scanText(text: Uint8Array): Generator<Segment> {
    this.#rows?.scanner.push(text);
    yield* this.#finished();
  }

  /** A scan that was paused goes on when its segment was taken: there is but one at a time. */
  *#finished(): Generator<Segment> {
    const rows = this.#rows;
    while (rows?.segments?.finished) {
      yield rows.segments.finished;
      rows.segments.finished = undefined;
      if (rows.scanner.isPaused) rows.scanner.goOn();
    }
  }
}
