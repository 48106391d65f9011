/** One bit for each user of a block, by place. Bytes, as a table stores them. Never changed. */
export type Bitmap = Uint8Array;

/** No bit is set. */
export function emptyBitmap(length: number): Bitmap {
  return new Uint8Array(Math.ceil(length / 8));
}

/** False behind the end, too. */
export function hasBit(bitmap: Bitmap, place: number): boolean {
  return ((bitmap[place >> 3] ?? 0) & (1 << (place & 7))) !== 0;
}

/** The bitmap with the bits of these places set. */
export function withBits(bitmap: Bitmap, places: readonly number[]): Bitmap {
  const next = Uint8Array.from(bitmap);
  for (const place of places) next[place >> 3] = (next[place >> 3] ?? 0) | (1 << (place & 7));
  return next;
}

/** The bitmap without the bits of these places. */
export function withoutBits(bitmap: Bitmap, places: readonly number[]): Bitmap {
  const next = Uint8Array.from(bitmap);
  for (const place of places) next[place >> 3] = (next[place >> 3] ?? 0) & ~(1 << (place & 7));
  return next;
}

/** How many bits are set. */
export function countBits(bitmap: Bitmap): number {
  let count = 0;
  for (const byte of bitmap) {
    for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  }
  return count;
}

/** The places from 0 to `length` whose bit is set. */
export function placesOf(bitmap: Bitmap, length: number): number[] {
  return Array.from({ length }, (_, place) => place).filter((place) => hasBit(bitmap, place));
}
