import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { KIB } from '../shared/units.ts';
import { brokenArchive, checkArchiveRatio, checkUnpackedSize } from './archive-limits.ts';
import { ByteSource } from './read-bytes.ts';
import { splitZstdFrames } from './split-zstd-frames.ts';

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
/** The first byte of a zstd frame without data is one of sixteen. */
const ZSTD_SKIPPABLE = [0x2a, 0x4d, 0x18];
const MAGIC_BYTES = 4;
const OPTIONS = { chunkSize: 64 * KIB };
/** Codes of errors that the archive is to blame for. */
const OF_ARCHIVE = /^(Z_|ZSTD_)/;

/**
 * The bytes of an upload, unpacked where their first ones say gzip or zstd, in any number of
 * members or frames. Throws FileFault for a broken archive, and before it yields more than one
 * may become.
 */
export async function* readUnpacked(
  chunks: AsyncIterable<Uint8Array>,
  packedBytes: number,
): AsyncGenerator<Uint8Array> {
  const source = new ByteSource(chunks);
  const front = await source.look(MAGIC_BYTES);
  const isPacked = isGzip(front) || isZstd(front);
  let bytes = 0;
  for await (const piece of unpack(source, front)) {
    bytes += piece.length;
    if (isPacked) checkArchiveRatio(bytes, packedBytes);
    checkUnpackedSize(bytes);
    yield piece;
  }
}

const isGzip = (front: Uint8Array) => GZIP.every((byte, at) => front[at] === byte);

function isZstd(front: Uint8Array): boolean {
  if (ZSTD.every((byte, at) => front[at] === byte)) return true;
  const isNumbered = ((front[0] ?? 0) & 0xf0) === 0x50;
  return isNumbered && ZSTD_SKIPPABLE.every((byte, at) => front[at + 1] === byte);
}

function unpack(source: ByteSource, front: Uint8Array): AsyncGenerator<Uint8Array> {
  if (isGzip(front)) return unpackGzip(source);
  return isZstd(front) ? unpackZstd(source) : source.rest();
}

/**
 * Zeros fill up what is behind the last member. Node takes them for the end wherever they are, and
 * silently leaves out what follows them: that would be users whom nobody misses.
 */
async function* unpackGzip(source: ByteSource): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip(OPTIONS);
  const rest = source.rest();
  let bytes = 0;
  let dataEnd = 0;
  const watch = (chunk: Uint8Array) => {
    const last = chunk.findLastIndex((byte) => byte !== 0);
    if (last >= 0) dataEnd = bytes + last + 1;
    bytes += chunk.length;
    return chunk;
  };
  // Whoever stops in the middle does not end the source.
  async function* packed(): AsyncGenerator<Uint8Array> {
    for (let it = await rest.next(); !it.done; it = await rest.next()) yield watch(it.value);
  }
  try {
    yield* decompress(packed(), gunzip);
    for await (const chunk of rest) watch(chunk);
    if (dataEnd > gunzip.bytesWritten) throw brokenArchive();
  } finally {
    await source.close();
  }
}

async function* unpackZstd(source: ByteSource): AsyncGenerator<Uint8Array> {
  try {
    for await (const frame of splitZstdFrames(source)) {
      yield* decompress(frame, createZstdDecompress(OPTIONS));
    }
  } finally {
    await source.close();
  }
}

/** Errors of the source come out as they are. */
async function* decompress(
  packed: AsyncIterable<Uint8Array>,
  decompressor: ReturnType<typeof createGunzip | typeof createZstdDecompress>,
): AsyncGenerator<Uint8Array> {
  const flow = pipeline(Readable.from(packed), decompressor);
  // Whoever reads the decompressor gets the error; here it would be nobody's.
  flow.catch(() => undefined);
  try {
    for await (const piece of decompressor) yield piece as Uint8Array;
  } catch (error) {
    throw OF_ARCHIVE.test(codeOf(error)) ? brokenArchive() : error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
