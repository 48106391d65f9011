import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  ALERT_BYTES_MAX,
  ARCHIVE_PARTS_MAX,
  ARCHIVE_RATIO_MAX,
  checkAlertBytes,
  checkArchiveParts,
  checkArchiveRatio,
  checkRows,
  checkUnpackedSize,
  ROWS_MAX,
  UNPACKED_BYTES_MAX,
} from '../../functions/files/archive-limits.ts';
import { FileFault } from '../../functions/files/file-fault.ts';
import { readUnpacked } from '../../functions/files/read-unpacked.ts';
import { diceOf } from '../support/fuzz/dice.ts';
import { cutAt } from './scan-text.ts';

/** A skippable frame of zstd. */
const SKIPPED = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const zstd = (text: string) => zstdCompressSync(Buffer.from(text));
const gzip = (text: string) => gzipSync(Buffer.from(text));

async function* flow(chunks: readonly Uint8Array[]) {
  for (const chunk of chunks) yield chunk;
}

/** What comes out of the archive, or the code of its fault. */
async function unpack(archive: Buffer, places: readonly number[] = []): Promise<string> {
  const pieces: Uint8Array[] = [];
  try {
    const chunks = flow(cutAt(archive, places));
    for await (const piece of readUnpacked(chunks, archive.length)) pieces.push(piece);
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    return error.facts.code;
  }
  return Buffer.concat(pieces).toString();
}

const ARCHIVES: readonly [string, Buffer][] = [
  ['plain text', Buffer.from('one two three')],
  ['gzip', gzip('one two three')],
  ['gzip in three members', Buffer.concat([gzip('one '), gzip('two '), gzip('three')])],
  ['gzip with zeros behind it', Buffer.concat([gzip('one two three'), Buffer.alloc(100)])],
  ['zstd', zstd('one two three')],
  ['zstd with zeros behind it', Buffer.concat([zstd('one two three'), Buffer.alloc(100)])],
  ['zstd with one zero behind it', Buffer.concat([zstd('one two three'), Buffer.alloc(1)])],
  ['zstd in three frames', Buffer.concat([zstd('one '), zstd('two '), zstd('three')])],
  [
    'zstd with frames to skip',
    Buffer.concat([SKIPPED, zstd('one two '), SKIPPED, zstd(''), zstd('three'), SKIPPED]),
  ],
];

describe('an upload is unpacked', () => {
  it.each(ARCHIVES)('from %s, wherever its chunks end', async (_what, archive) => {
    for (let place = 0; place <= archive.length; place += 1) {
      expect(await unpack(archive, [place])).toBe('one two three');
    }
    const everywhere = Array.from({ length: archive.length }, (_, at) => at);
    expect(await unpack(archive, everywhere)).toBe('one two three');
  });

  it('from zstd frames of every size and shape', async () => {
    const lengths = [0, 1, 255, 256, 65_791, 65_792, 300_000];
    const dice = diceOf(7);
    const texts = lengths.map((length) =>
      Array.from({ length }, () => String.fromCharCode(97 + dice.below(20))).join(''),
    );
    const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
    const frames = texts.flatMap((it) => [
      zstd(it),
      zstdCompressSync(Buffer.from(it), checked),
      zstd('a'.repeat(it.length % 100)),
    ]);
    const wanted = texts.flatMap((it) => [it, it, 'a'.repeat(it.length % 100)]).join('');
    expect((await unpack(Buffer.concat(frames))) === wanted).toBe(true);
  });

  it('from nothing to nothing', async () => {
    expect(await unpack(Buffer.alloc(0))).toBe('');
  });
});

describe('a broken archive', () => {
  const borders = new Set([0, 1, gzip('one ').length, zstd('one ').length]);
  it.each([
    ['gzip', Buffer.concat([gzip('one '), gzip('two')])],
    ['zstd', Buffer.concat([zstd('one '), zstd('two')])],
  ])('of %s that is cut anywhere but between its parts is found', async (_what, archive) => {
    for (let end = 4; end < archive.length; end += 1) {
      if (borders.has(end)) continue;
      expect(await unpack(archive.subarray(0, end)), `cut at ${end}`).toBe('archive_truncated');
    }
  });

  it.each([
    ['gzip', gzip('one')],
    ['zstd', zstd('one')],
  ])('of %s with something else behind it is found', async (_what, archive) => {
    const codes = await unpack(Buffer.concat([archive, Buffer.from('something else')]));
    expect(codes).toBe('archive_truncated');
  });

  it.each([
    ['another member', gzip('two')],
    ['another frame', zstd('two')],
    ['text', Buffer.from('u9\n')],
    ['more zeros than are read at a time, and a byte', Buffer.from(`${'\0'.repeat(200_000)}x`)],
  ])('with zeros and then %s behind it is found', async (_what, behind) => {
    for (const first of [gzip('one'), zstd('one')]) {
      const archive = Buffer.concat([first, Buffer.alloc(100), behind]);
      const front = first.length;
      for (const places of [[], [front], [front + 1], [front + 100], [front + 150]]) {
        expect(await unpack(archive, places), `cut at ${places}`).toBe('archive_truncated');
      }
    }
  });

  it('of gzip with a changed byte of its content is found', async () => {
    const archive = gzip('one two three');
    archive[archive.length - 6] = (archive[archive.length - 6] ?? 0) ^ 1;
    expect(await unpack(archive)).toBe('archive_truncated');
  });

  it('of zstd with a block of no known kind is found', async () => {
    const archive = zstd('one two three');
    archive[6] = (archive[6] ?? 0) | 6;
    expect(await unpack(archive)).toBe('archive_truncated');
  });

  it.each([gzip, zstd])('that would fill the memory is given up: %s', async (pack) => {
    expect(await unpack(pack('\n'.repeat(50_000_000)))).toBe('archive_ratio');
  });

  it('of zstd is given up at the 10,001st frame, with or without data', async () => {
    const empty = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
    const frames = (count: number, frame: Buffer) => Array.from({ length: count }, () => frame);
    const most = [...frames(ARCHIVE_PARTS_MAX - 9, empty), ...frames(8, zstd('')), zstd('one')];
    expect(await unpack(Buffer.concat(most))).toBe('one');
    expect(await unpack(Buffer.concat([...most, Buffer.alloc(9)]))).toBe('one');
    expect(await unpack(Buffer.concat([...most, empty]))).toBe('archive_ratio');
    expect(await unpack(Buffer.concat([...most, zstd('two')]))).toBe('archive_ratio');
  });

  it('leaves the errors of its source as they are', async () => {
    async function* source() {
      yield gzip('one').subarray(0, 8);
      throw new TypeError('the bucket is gone');
    }
    const pieces = readUnpacked(source(), 100);
    await expect(pieces.next()).rejects.toThrow('the bucket is gone');
  });
});

describe('the limits', () => {
  it.each<[string, number, (value: number) => void, string]>([
    ['bytes', UNPACKED_BYTES_MAX, checkUnpackedSize, 'file_too_large'],
    ['rows', ROWS_MAX, checkRows, 'file_too_large'],
    ['alerts', ALERT_BYTES_MAX, checkAlertBytes, 'file_too_large'],
    ['parts', ARCHIVE_PARTS_MAX, checkArchiveParts, 'archive_ratio'],
    ['the ratio', 7 * ARCHIVE_RATIO_MAX, (it) => checkArchiveRatio(it, 7), 'archive_ratio'],
  ])('of %s hold at %d, and not above', (_what, limit, check, code) => {
    expect(() => check(limit)).not.toThrow();
    expect(() => check(limit + 1)).toThrow(
      expect.objectContaining({ facts: expect.objectContaining({ code }) }),
    );
  });
});
