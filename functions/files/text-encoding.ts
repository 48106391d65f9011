import type { OriginalBytes } from './text-window.ts';

/** How the text of a file is written. Without its own mark or a setting it is UTF-8. */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** Turns the bytes of a file into UTF-8, in chunks that may be cut anywhere. */
export interface Transcoder {
  push(chunk: Uint8Array): Uint8Array;
  /** No more bytes come. What is left of half a character is no UTF-8, so its row is malformed. */
  end(): Uint8Array;
}

const NOTHING = new Uint8Array(0);
/** Never part of UTF-8. */
const NO_UTF8 = new Uint8Array([0xff]);

/** A new one for each file. */
export function transcoderFor(encoding: TextEncoding): Transcoder {
  if (encoding === 'utf-16le') return new Utf16(0, 1);
  if (encoding === 'utf-16be') return new Utf16(1, 0);
  if (encoding === 'windows-1252') return { push: fromWindows1252, end: () => NOTHING };
  return { push: (chunk) => chunk, end: () => NOTHING };
}

/** How many bytes of the original file a part of its UTF-8 text takes. */
export function originalBytesIn(encoding: TextEncoding): OriginalBytes {
  if (encoding === 'utf-8') return (_text, start, end) => end - start;
  const width = encoding === 'windows-1252' ? () => 1 : widthInUtf16;
  return (text, start, end) => {
    let bytes = 0;
    for (let at = start; at < end; at += 1) {
      const byte = text[at] ?? 0;
      // A character counts with its first byte.
      if ((byte & 0xc0) !== 0x80) bytes += width(byte);
    }
    return bytes;
  };
}

const widthInUtf16 = (firstByte: number) => (firstByte >= 0xf0 ? 4 : 2);

/** UTF-8 of each byte. The five bytes that mean nothing are control characters, as in browsers. */
const WINDOWS_1252 = Array.from({ length: 256 }, (_, byte) => {
  const text = new TextDecoder('windows-1252').decode(Uint8Array.of(byte));
  return new TextEncoder().encode(text);
});
/** No character of windows-1252 takes more in UTF-8, and no unit of UTF-16 either. */
const BYTES_MAX = 3;

function fromWindows1252(chunk: Uint8Array): Uint8Array {
  const text = new Uint8Array(BYTES_MAX * chunk.length);
  let to = 0;
  for (let at = 0; at < chunk.length; at += 1) {
    const byte = chunk[at] ?? 0;
    if (byte < 0x80) {
      text[to++] = byte;
      continue;
    }
    const character = WINDOWS_1252[byte] ?? NOTHING;
    for (let i = 0; i < character.length; i += 1) text[to++] = character[i] ?? 0;
  }
  return text.subarray(0, to);
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;

/**
 * Half a surrogate pair becomes three bytes that are no UTF-8, so that the row it stands in is
 * found malformed, and no other.
 */
class Utf16 implements Transcoder {
  readonly #low: number;
  readonly #high: number;
  /** Bytes of a unit, or of a pair, that is not complete: at most three. */
  #left: Uint8Array = NOTHING;

  /** The places of a unit's low and of its high byte. */
  constructor(low: 0 | 1, high: 0 | 1) {
    this.#low = low;
    this.#high = high;
  }

  push(chunk: Uint8Array): Uint8Array {
    const bytes = this.#left.length === 0 ? chunk : Buffer.concat([this.#left, chunk]);
    return this.#decode(bytes, false);
  }

  end(): Uint8Array {
    const text = this.#decode(this.#left, true);
    return this.#left.length === 0 ? text : Buffer.concat([text, NO_UTF8]);
  }

  #decode(bytes: Uint8Array, final: boolean): Uint8Array {
    const text = new Uint8Array(BYTES_MAX * (bytes.length >> 1));
    let to = 0;
    let at = 0;
    for (; at + 1 < bytes.length; at += 2) {
      let code = this.#unit(bytes, at);
      if (isHigh(code)) {
        const pairIsThere = at + 3 < bytes.length;
        if (!pairIsThere && !final) break;
        const next = pairIsThere ? this.#unit(bytes, at + 2) : 0;
        if (isLow(next)) {
          code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
          at += 2;
        }
      }
      to = putCode(text, to, code);
    }
    this.#left = bytes.slice(at);
    return text.subarray(0, to);
  }

  #unit(bytes: Uint8Array, at: number): number {
    return (bytes[at + this.#low] ?? 0) | ((bytes[at + this.#high] ?? 0) << 8);
  }
}

/** Writes one character, and returns the place behind it. */
function putCode(text: Uint8Array, place: number, code: number): number {
  let to = place;
  if (code < 0x80) {
    text[to++] = code;
    return to;
  }
  if (code < 0x800) text[to++] = 0xc0 | (code >> 6);
  else {
    if (code < 0x10000) text[to++] = 0xe0 | (code >> 12);
    else {
      text[to++] = 0xf0 | (code >> 18);
      text[to++] = 0x80 | ((code >> 12) & 0x3f);
    }
    text[to++] = 0x80 | ((code >> 6) & 0x3f);
  }
  text[to++] = 0x80 | (code & 0x3f);
  return to;
}
