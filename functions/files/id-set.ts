import { hash } from 'node:crypto';

const WORDS = 4;
/** One table is in pieces, so that only one of them at a time is there twice while it grows. */
const PIECES = 64;
const SLOTS_FIRST = 1 << 8;
/** With more of its slots in use than this, a search walks too far. Not all pieces grow at once. */
const LOAD_MIN = 0.6;
const LOAD_MAX = 0.8;

/**
 * The user ids of one file, as 128 bits of their SHA-256 in open addressing: 16 bytes a slot and no
 * object per id. Among 20 million ids two different ones are taken for the same with a probability
 * below 10⁻²⁴, and nobody can make two such ids on purpose.
 */
export class IdSet {
  size = 0;
  readonly #pieces = Array.from({ length: PIECES }, (_, i) => {
    return new Piece(LOAD_MIN + ((LOAD_MAX - LOAD_MIN) * i) / PIECES);
  });
  readonly #words = new Int32Array(WORDS);

  /** Takes the id in. False when it is there already. */
  add(id: Uint8Array): boolean {
    // As a one-byte string the digest comes four times faster than as a Buffer of its own.
    const digest = hash('sha256', id, 'binary');
    for (let i = 0; i < WORDS; i += 1) this.#words[i] = wordAt(digest, 4 * i);
    // A slot whose first word is 0 is free, so no id may have that.
    if (this.#words[0] === 0) this.#words[0] = 1;

    const isNew = this.#pieces[digest.charCodeAt(15) % PIECES]?.add(this.#words) ?? false;
    if (isNew) this.size += 1;
    return isNew;
  }
}

class Piece {
  #size = 0;
  #table = new Int32Array(SLOTS_FIRST * WORDS);
  readonly #loadMax: number;

  constructor(loadMax: number) {
    this.#loadMax = loadMax;
  }

  add(words: Int32Array): boolean {
    if (!insert(this.#table, words, 0)) return false;
    this.#size += 1;
    if (this.#size * WORDS > this.#table.length * this.#loadMax) this.#grow();
    return true;
  }

  #grow(): void {
    const table = new Int32Array(2 * this.#table.length);
    for (let at = 0; at < this.#table.length; at += WORDS) {
      if (this.#table[at] !== 0) insert(table, this.#table, at);
    }
    // Given back at once: until the garbage is collected, the old pieces would add up.
    this.#table.buffer.transfer(0);
    this.#table = table;
  }
}

function wordAt(digest: string, at: number): number {
  return (
    digest.charCodeAt(at) |
    (digest.charCodeAt(at + 1) << 8) |
    (digest.charCodeAt(at + 2) << 16) |
    (digest.charCodeAt(at + 3) << 24)
  );
}

/** Puts the words at `from` into their slot or the next free one. False when they are there. */
function insert(table: Int32Array, words: Int32Array, from: number): boolean {
  const a = words[from];
  const b = words[from + 1] ?? 0;
  const c = words[from + 2];
  const d = words[from + 3];
  // The length is a power of two, so the mask keeps a slot's first word within the table.
  const mask = table.length - WORDS;
  for (let at = (b * WORDS) & mask; ; at = (at + WORDS) & mask) {
    if (table[at] === 0) {
      for (let i = 0; i < WORDS; i += 1) table[at + i] = words[from + i] ?? 0;
      return true;
    }
    if (table[at] === a && table[at + 1] === b && table[at + 2] === c && table[at + 3] === d) {
      return false;
    }
  }
}
