import { gzipSync, zstdCompressSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AlertFile, mayRead } from '../../functions/files/file.ts';
import { parseFile } from '../../functions/files/parse-file.ts';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { FilesHouse } from './files-house.ts';

let house: FilesHouse;
beforeAll(async () => {
  house = await FilesHouse.open();
});

const DEADLINE_MS = 15 * MINUTE_MS;
/** A frame of zstd that carries no data. */
const SKIPPED = Buffer.concat([
  Buffer.from([0x53, 0x2a, 0x4d, 0x18, 92, 0, 0, 0]),
  Buffer.alloc(92),
]);

/** Archives of nothing. */
const EMPTY = [
  ['gzip members', gzipSync('')],
  ['zstd frames', zstdCompressSync('')],
  ['zstd frames to skip', SKIPPED],
] as const;

/** A bucket that takes so long for each of forty chunks, and tells of each. */
function slowBucket(chunkMs: number, onChunk: () => Promise<void>) {
  const { bucket } = house.doors;
  const read: typeof bucket.read = async (key, range) => {
    const chunks = await bucket.read(key, range);
    if (!chunks) return undefined;
    return (async function* slowly() {
      const parts: Uint8Array[] = [];
      for await (const part of chunks) parts.push(part);
      const bytes = Buffer.concat(parts);
      const size = Math.ceil(bytes.length / 40);
      for (let at = 0; at < bytes.length; at += size) {
        house.world.clock.advance(chunkMs);
        await onChunk();
        yield bytes.subarray(at, at + size);
      }
    })();
  };
  return { ...house.doors, bucket: { ...bucket, read } };
}

async function upload(content: string | Buffer): Promise<AlertFile> {
  house.world.sent.length = 0;
  return house.upload(await house.addEndpoint(), content);
}

function parse(file: AlertFile, doors = house.doors, alertBytesMax?: number): Promise<void> {
  const deadlineMs = house.world.clock.nowMs() + DEADLINE_MS;
  const limits = alertBytesMax === undefined ? { deadlineMs } : { deadlineMs, alertBytesMax };
  return parseFile({ tenantId: file.tenantId, fileId: file.id }, doors, limits);
}

describe.each(EMPTY)('an archive of nothing but %s', (_what, part) => {
  const archive = Buffer.concat(Array.from({ length: 2_000 }, () => part));

  it('stays with its parser while it is read', async () => {
    const file = await upload(archive);
    const mayTake: boolean[] = [];
    const doors = slowBucket(20 * SECOND_MS, async () => {
      mayTake.push(mayRead(await house.find(file), house.world.clock.nowMs()));
    });
    await parse(file, doors);
    expect(mayTake).toEqual(mayTake.map(() => false));
    expect(mayTake.length).toBeGreaterThan(30);
    expect(await house.find(file)).toMatchObject({ state: 'completed', rows: 0, readings: 1 });
  });

  it('is given up before its parser is killed', async () => {
    const file = await upload(archive);
    const startMs = house.world.clock.nowMs();
    await parse(
      file,
      slowBucket(29 * SECOND_MS, async () => undefined),
    );
    expect(house.world.clock.nowMs() - startMs).toBeLessThan(DEADLINE_MS);
    expect(await house.find(file)).toMatchObject({
      state: 'failed',
      error: { code: 'file_too_large', detail: expect.stringContaining('14 minutes') },
    });
  });
});

describe('the alerts of a file', () => {
  const rows = Array.from({ length: 3_000 }, (_, row) => `${row},\n`);
  const content = `user_id,${'x'.repeat(10_000)}\n${rows.join('')}`;

  it('fill no more of the bucket than one file may', async () => {
    const file = await upload(content);
    let stored = 0;
    const { bucket } = house.doors;
    const put: typeof bucket.put = (key, body, type) => {
      stored += body.length;
      return bucket.put(key, body, type);
    };
    await parse(file, { ...house.doors, bucket: { ...bucket, put } }, 20_000_000);
    expect(await house.find(file)).toMatchObject({
      state: 'failed',
      error: { code: 'file_too_large', detail: expect.stringContaining('20000000 bytes') },
    });
    expect(stored).toBeLessThanOrEqual(20_000_000);
  });

  it('may be as many bytes as that', async () => {
    const file = await upload(content);
    await parse(file, house.doors, 40_000_000);
    expect(await house.find(file)).toMatchObject({ state: 'delivering', alerts: 3_000 });
  });
});
