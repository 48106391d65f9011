import { KIB } from '../shared/units.ts';

const BYTES_FIRST = 256 * KIB;

/** How many bytes of the original file a part of its text takes. */
export type OriginalBytes = (text: Uint8Array, start: number, end: number) => number;

/**
 * The part of a text that nobody has read yet. Chunks are appended as they come; whoever reads
 * takes the whole records at its front and keeps the rest.
 */
export class TextWindow {
  bytes = new Uint8Array(BYTES_FIRST);
  length = 0;
  /** Below this many bytes a look is in vain: a long record is not read again for each chunk. */
  #lengthWanted = 1;
  readonly #originalBytes: OriginalBytes;
  /** A place of the window, and where that stands in the original file. */
  #place = 0;
  #byte = 0;

  constructor(originalBytes: OriginalBytes = (_text, start, end) => end - start) {
    this.#originalBytes = originalBytes;
  }

  /** False while it is too early to look for a whole record. */
  append(chunk: Uint8Array): boolean {
    const length = this.length + chunk.length;
    if (length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(chunk, this.length);
    this.length = length;
    return length >= this.#lengthWanted;
  }

  /** Where this place stands in the original file. Asked for later and later places only. */
  byteAt(place: number): number {
    this.#byte += this.#originalBytes(this.bytes, this.#place, place);
    this.#place = place;
    return this.#byte;
  }

  /** Moves what is not read yet to the front. */
  keep(from: number): void {
    this.byteAt(from);
    this.#place = 0;
    this.bytes.copyWithin(0, from, this.length);
    this.length -= from;
    this.#lengthWanted = 2 * this.length;
  }
}
