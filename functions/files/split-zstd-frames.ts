import { brokenArchive, checkArchiveParts } from './archive-limits.ts';
import type { ByteSource } from './read-bytes.ts';

const MAGIC_BYTES = 4;
const MAGIC = 0xfd2fb528;
/** Frames that carry no data: the last of their 16 numbers. */
const SKIPPABLE = 0x184d2a50;
const BLOCK_HEAD_BYTES = 3;
const BLOCK_BYTES_MAX = 128 * 1024;
const RLE = 1;
const RESERVED = 3;
const CHECKSUM_BYTES = 4;
/** By the two low bits of the descriptor. */
const DICTIONARY_BYTES = [0, 1, 2, 4];
/** By its two high bits. The first of them is 1 in a frame of a single segment. */
const SIZE_BYTES = [0, 2, 4, 8];

/**
 * The frames of a zstd archive, each as the pieces of its bytes, which have to be read before the
 * next frame is asked for. Node unpacks the first frame of an archive and silently leaves out the
 * others, so each gets a decompressor of its own. Zeros may fill up what is behind the last one.
 * Throws FileFault for what is no whole archive, or has more frames than one may have.
 */
export async function* splitZstdFrames(
  source: ByteSource,
): AsyncGenerator<AsyncGenerator<Uint8Array>> {
  for (let frames = 1; !(await source.isAtEnd()); frames += 1) {
    if (frames > 1 && (await source.look(1))[0] === 0) return skipZeros(source);
    checkArchiveParts(frames);
    const magic = await source.take(MAGIC_BYTES);
    const number = uint32(magic);
    if ((number & 0xfffffff0) >>> 0 === SKIPPABLE) await skip(source);
    else if (number === MAGIC) yield piecesOf(source, magic);
    else throw brokenArchive();
  }
}

async function skipZeros(source: ByteSource): Promise<void> {
  for await (const chunk of source.rest()) {
    if (chunk.some((byte) => byte !== 0)) throw brokenArchive();
  }
}

async function skip(source: ByteSource): Promise<void> {
  let left = uint32(await source.take(4));
  while (left > 0) {
    const piece = Math.min(left, BLOCK_BYTES_MAX);
    await source.take(piece);
    left -= piece;
  }
}

async function* piecesOf(source: ByteSource, magic: Uint8Array): AsyncGenerator<Uint8Array> {
  yield magic;
  const head = await source.take(1);
  yield head;
  const descriptor = head[0] ?? 0;
  yield source.take(headBytes(descriptor));
  for (let isLast = false; !isLast; ) {
    const block = await source.take(BLOCK_HEAD_BYTES);
    yield block;
    const fields = (block[0] ?? 0) | ((block[1] ?? 0) << 8) | ((block[2] ?? 0) << 16);
    const type = (fields >> 1) & 3;
    const size = fields >> 3;
    if (type === RESERVED || size > BLOCK_BYTES_MAX) throw brokenArchive();
    // A block of one byte repeated holds that byte once.
    yield source.take(type === RLE ? 1 : size);
    isLast = (fields & 1) === 1;
  }
  if ((descriptor & 4) !== 0) yield source.take(CHECKSUM_BYTES);
}

/** How long the head of a frame is behind its descriptor. */
function headBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = SIZE_BYTES[descriptor >> 6] ?? 0;
  const dictionaryBytes = DICTIONARY_BYTES[descriptor & 3] ?? 0;
  if (!isSingleSegment) return 1 + dictionaryBytes + sizeBytes;
  return dictionaryBytes + Math.max(1, sizeBytes);
}

function uint32(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32LE();
}
