import assert from 'node:assert/strict';
import { MIB } from '../shared/units.ts';

/** What one worker does in one go, more or less. */
export const BLOCK_USERS_MAX = 1_000;
/** A block with rows of unusual length ends early, so that a worker can hold it. */
export const BLOCK_BYTES_MAX = 4 * MIB;
/** A segment ends with the first block that reaches this. */
export const SEGMENT_BYTES = 8 * MIB;

/** Where the lines of one block lie: which segment, and which of its bytes. */
export interface BlockPlace {
  readonly segment: number;
  /** First byte, inclusive. */
  readonly start: number;
  /** Last byte, exclusive. */
  readonly end: number;
  readonly users: number;
}

/** An entry of the block index is padded to this, so that one range read finds it. */
export const INDEX_ENTRY_BYTES = 80;

export interface Segment {
  readonly number: number;
  /** The writer's own, which are written over as soon as the next line comes. */
  readonly bytes: Uint8Array;
}

/** Where the lines of users are written, one behind the other. */
export interface Lines {
  /** Bytes written since the last `take`. */
  readonly length: number;
  /** What was written, until the next line takes its place. */
  take(): Uint8Array;
}

/** Cuts the users of a file into blocks, and the blocks into segments, in the file's order. */
export class Segments {
  /** The segment that was finished last, until somebody has taken it. */
  finished: Segment | undefined;
  readonly #lines: Lines;
  readonly #places: string[] = [];
  #segment = 0;
  #blockStart = 0;
  #blockUsers = 0;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  /** Blocks so far. */
  get blocks(): number {
    return this.#places.length;
  }

  /** The line of one more user was written. True when that finished a segment. */
  endLine(): boolean {
    this.#blockUsers += 1;
    const bytes = this.#lines.length - this.#blockStart;
    if (this.#blockUsers === BLOCK_USERS_MAX || bytes >= BLOCK_BYTES_MAX) this.#endBlock();
    return this.finished !== undefined;
  }

  /** Ends the last block and the last segment. */
  end(): void {
    if (this.#blockUsers > 0) this.#endBlock();
    if (this.#lines.length > 0) this.#endSegment();
  }

  /** One entry of equal length for each block. */
  index(): Uint8Array {
    return new TextEncoder().encode(this.#places.join(''));
  }

  #endBlock(): void {
    const place: BlockPlace = {
      segment: this.#segment,
      start: this.#blockStart,
      end: this.#lines.length,
      users: this.#blockUsers,
    };
    this.#places.push(`${JSON.stringify(place).padEnd(INDEX_ENTRY_BYTES - 1)}\n`);
    this.#blockStart = this.#lines.length;
    this.#blockUsers = 0;
    if (this.#lines.length >= SEGMENT_BYTES) this.#endSegment();
  }

  #endSegment(): void {
    assert(!this.finished, 'a segment is taken before the next line is written');
    this.finished = { number: this.#segment, bytes: this.#lines.take() };
    this.#segment += 1;
    this.#blockStart = 0;
  }
}
