import { createHash, type Hash } from 'node:crypto';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { checkAlertBytes, checkRows, readsTooLong } from './archive-limits.ts';
import { faultLines } from './fault-list.ts';
import { saveFile } from './file.store.ts';
import { type AlertFile, READING_LEASE_MS, renewReading } from './file.ts';
import { FileFault } from './file-fault.ts';
import { faultsKey, indexKey, segmentKey, uploadKey } from './file-keys.ts';
import { FileReading } from './file-reading.ts';
import { readUnpacked } from './read-unpacked.ts';
import type { Segment } from './segments.ts';

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

export interface ReadingLimits {
  /** When Lambda kills this worker. */
  readonly deadlineMs: number;
  /** What all segments may have together; `ALERT_BYTES_MAX` unless told. */
  readonly alertBytesMax?: number;
}

/**
 * Streams the uploaded object through a reading and stores its segments, its block index and its
 * list of malformed rows. Nothing else is changed but the lease. Throws FileFault where the file
 * cannot be read, and ReadingLost where another parser has it.
 */
export async function readUpload(
  world: Needs,
  claimed: AlertFile,
  { deadlineMs, alertBytesMax }: ReadingLimits,
): Promise<Upload> {
  const { bucket } = world;
  const { objectVersion: versionId } = claimed;
  const chunks = await bucket.read(
    uploadKey(claimed),
    versionId === undefined ? {} : { versionId },
  );
  if (!chunks) throw new FileFault({ code: 'not_found', detail: 'The upload is gone.' });

  const reading = new FileReading({ ...claimed, fileId: claimed.id, fileName: claimed.name });
  const hash = createHash('sha256');
  const hold = new ReadingHold(world, claimed, deadlineMs);
  const storeSegment = segmentStore(bucket, claimed, alertBytesMax);
  const store = async (segments: Iterable<Segment>) => {
    for (const segment of segments) {
      await storeSegment(segment);
      await hold.keep();
    }
  };
  for await (const chunk of readUnpacked(watched(chunks, { hash, hold }), claimed.bytes)) {
    await store(reading.read(chunk));
    checkRows(reading.counts.rows);
    await hold.keep();
  }
  await store(reading.end());
  await storeLists(bucket, claimed, reading);
  return { reading, file: hold.file, contentHash: hash.digest('base64url') };
}

/** An archive may have much to read in which there is nothing: it is held from this end as well. */
async function* watched(
  chunks: AsyncIterable<Uint8Array>,
  { hash, hold }: { readonly hash: Hash; readonly hold: ReadingHold },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    await hold.keep();
    yield chunk;
  }
}

/** Stores segments as long as there are not too many bytes of them. */
function segmentStore(bucket: Needs['bucket'], file: AlertFile, alertBytesMax?: number) {
  let alertBytes = 0;
  return async ({ number, bytes }: Segment): Promise<void> => {
    alertBytes += bytes.length;
    checkAlertBytes(alertBytes, alertBytesMax);
    await bucket.put(segmentKey(file, number), bytes, NDJSON);
  };
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

/** A parser's hold on its file while time passes. */
class ReadingHold {
  readonly #world: Needs;
  readonly #endMs: number;
  #file: AlertFile;
  #renewal: Promise<void> | undefined;

  constructor(world: Needs, claimed: AlertFile, deadlineMs: number) {
    this.#world = world;
    this.#file = claimed;
    this.#endMs = deadlineMs - DEADLINE_RESERVE_MS;
  }

  /** With its lease as it was renewed last. */
  get file(): AlertFile {
    return this.#file;
  }

  /** Renews the lease in time, once for all who ask at a moment. Throws as `readUpload`. */
  async keep(): Promise<void> {
    const nowMs = this.#world.clock.nowMs();
    if (nowMs > this.#endMs) throw readsTooLong();
    if ((this.#file.leaseMs ?? 0) - nowMs > READING_LEASE_MS - RENEWAL_MS) return;

    this.#renewal ??= this.#renew(nowMs).finally(() => {
      this.#renewal = undefined;
    });
    await this.#renewal;
  }

  async #renew(nowMs: number): Promise<void> {
    const renewed = renewReading(this.#file, nowMs);
    const commit = await this.#world.db.commit([saveFile(this.#file, renewed, nowMs)]);
    if (!commit.ok) throw new ReadingLost();
    this.#file = renewed;
  }
}
