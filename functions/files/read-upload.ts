import { createHash, type Hash } from 'node:crypto';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { checkRows, readsTooLong } from './archive-limits.ts';
import { faultLines } from './fault-list.ts';
import { saveFile } from './file.store.ts';
import {
  type AlertFile,
  faultsKey,
  indexKey,
  READING_LEASE_MS,
  renewReading,
  segmentKey,
  uploadKey,
} from './file.ts';
import { FileFault } from './file-fault.ts';
import { FileReading } from './file-reading.ts';
import { readUnpacked } from './read-unpacked.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db'>;

/** What is left of the worker's time when a file is given up as too large. */
const DEADLINE_RESERVE_MS = 30 * SECOND_MS;
/** A lease is renewed when this much of it has passed. */
const RENEWAL_MS = READING_LEASE_MS / 3;
const NDJSON = 'application/x-ndjson';

/** Another parser has taken the file: this one leaves without a trace. */
export class ReadingLost extends Error {
  override readonly name = 'ReadingLost';
}

/** What was read, and the file with its lease as it was renewed last. */
export interface Upload {
  readonly reading: FileReading;
  readonly file: AlertFile;
  /** Of the bytes as they were uploaded. */
  readonly contentHash: string;
}

/**
 * Streams the uploaded object through a reading and stores its segments, its block index and its
 * list of malformed rows. Nothing else is changed but the lease. Throws FileFault where the file
 * cannot be read, and ReadingLost where another parser has it.
 */
export async function readUpload(
  world: Needs,
  claimed: AlertFile,
  deadlineMs: number,
): Promise<Upload> {
  const { bucket, clock } = world;
  const { objectVersion: versionId } = claimed;
  const chunks = await bucket.read(
    uploadKey(claimed),
    versionId === undefined ? {} : { versionId },
  );
  if (!chunks) throw new FileFault({ code: 'not_found', detail: 'The upload is gone.' });

  const reading = new FileReading({ ...claimed, fileId: claimed.id, fileName: claimed.name });
  const hash = createHash('sha256');
  let file = claimed;
  for await (const chunk of readUnpacked(hashed(chunks, hash), claimed.bytes)) {
    reading.push(chunk);
    await storeSegments(bucket, file, reading);
    checkRows(reading.counts.rows);
    if (clock.nowMs() > deadlineMs - DEADLINE_RESERVE_MS) throw readsTooLong();
    file = await keepLease(world, file);
  }
  reading.end();
  await storeSegments(bucket, file, reading);
  await storeLists(bucket, file, reading);
  return { reading, file, contentHash: hash.digest('base64url') };
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function storeSegments(
  bucket: Needs['bucket'],
  file: AlertFile,
  reading: FileReading,
): Promise<void> {
  for (const { number, bytes } of reading.takeSegments()) {
    await bucket.put(segmentKey(file, number), bytes, NDJSON);
  }
}

async function storeLists(
  bucket: Needs['bucket'],
  file: AlertFile,
  reading: FileReading,
): Promise<void> {
  if (reading.blocks > 0) await bucket.put(indexKey(file), reading.index, NDJSON);
  if (reading.faults.length === 0) return;

  await bucket.put(faultsKey(file), faultLines(reading.faults), NDJSON);
}

async function keepLease({ clock, db }: Needs, file: AlertFile): Promise<AlertFile> {
  const nowMs = clock.nowMs();
  if ((file.leaseMs ?? 0) - nowMs > READING_LEASE_MS - RENEWAL_MS) return file;

  const renewed = renewReading(file, nowMs);
  const commit = await db.commit([saveFile(renewed, file.version, nowMs)]);
  if (!commit.ok) throw new ReadingLost();
  return renewed;
}
