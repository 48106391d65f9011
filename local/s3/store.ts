import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Catalog,
  type CreatedEvent,
  type Page,
  type Part,
  type Upload,
  type Version,
  type VersionsPage,
} from './catalog.ts';
import { S3Refusal } from './refusal.ts';

/** Where an object is to go, and what is stored and sent back with its bytes. */
export interface ObjectPlace {
  readonly bucket: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sizes that are taken, in bytes. */
export interface SizeRange {
  readonly min: number;
  readonly max: number;
}

/** Quota of one PUT or POST. */
export const OBJECT_BYTES_MAX = 5 * 1_024 ** 3;
const ANY_SIZE: SizeRange = { min: 0, max: OBJECT_BYTES_MAX };

/** Tells one creation; a rejection means that it must be told again. */
export type Tell = (event: CreatedEvent) => Promise<void>;

const TELL_AGAIN_MS = 1_000;

/**
 * Versioned buckets on disk. The bytes of a version are written, flushed and moved to their place
 * before the catalog knows them, so that an object is either there whole or not at all. Creations
 * in a bucket that tells them are told until somebody took them.
 */
export class ObjectStore {
  readonly #dir: string;
  readonly #catalog: Catalog;
  readonly #telling: ReadonlySet<string>;
  readonly #tell: Tell;
  readonly #buckets: ReadonlySet<string>;
  #isTelling = false;
  #closed = false;

  constructor(
    paths: { readonly dir: string; readonly catalogFile: string },
    buckets: { readonly all: readonly string[]; readonly telling: readonly string[] },
    tell: Tell,
  ) {
    this.#dir = paths.dir;
    this.#buckets = new Set(buckets.all);
    this.#telling = new Set(buckets.telling);
    this.#tell = tell;
    mkdirSync(join(this.#dir, 'drafts'), { recursive: true });
    mkdirSync(join(this.#dir, 'parts'), { recursive: true });
    mkdirSync(join(this.#dir, 'versions'), { recursive: true });
    this.#catalog = new Catalog(paths.catalogFile);
    this.#sweep();
  }

  /** Removes what a crash left behind: drafts, and bytes that no version names. */
  #sweep(): void {
    for (const name of readdirSync(join(this.#dir, 'drafts'))) rmSync(this.#file('drafts', name));
    const known = this.#catalog.versionIds();
    for (const name of readdirSync(join(this.#dir, 'versions'))) {
      if (!known.has(name)) rmSync(this.#file('versions', name));
    }
  }

  #file(folder: 'drafts' | 'parts' | 'versions', name: string): string {
    return join(this.#dir, folder, name);
  }

  get buckets(): readonly string[] {
    return [...this.#buckets];
  }

  assertBucket(bucket: string): void {
    if (!this.#buckets.has(bucket)) {
      throw new S3Refusal(404, 'NoSuchBucket', 'The specified bucket does not exist');
    }
  }

  /** Stores a new version. Refuses a size out of range without keeping anything. */
  async put(
    place: ObjectPlace,
    source: AsyncIterable<Uint8Array>,
    { reason = 'PutObject', sizes = ANY_SIZE } = {},
  ): Promise<Version> {
    this.assertBucket(place.bucket);
    const draft = this.#file('drafts', newVersionId());
    try {
      const { bytes, etag } = await writeFlushed(draft, source, sizes);
      return await this.#publish(draft, place, { bytes, etag, reason });
    } finally {
      await rm(draft, { force: true });
    }
  }

  async #publish(
    draft: string,
    { bucket, key, headers }: ObjectPlace,
    facts: { readonly bytes: number; readonly etag: string; readonly reason: string },
  ): Promise<Version> {
    const versionId = newVersionId();
    await rename(draft, this.#file('versions', versionId));
    const version = this.#catalog.insert(
      {
        bucket,
        key,
        version_id: versionId,
        is_marker: 0,
        bytes: facts.bytes,
        etag: facts.etag,
        modified_ms: Date.now(),
        headers: JSON.stringify(headers),
      },
      this.#telling.has(bucket) ? facts.reason : undefined,
    );
    void this.tellAll();
    return version;
  }

  /** Tells every creation that was not told yet, one after the other, until all are. */
  async tellAll(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    while (!this.#closed) {
      const [event] = this.#catalog.openEvents(1);
      if (!event) break;
      try {
        await this.#tell(event);
        if (!this.#closed) this.#catalog.closeEvent(event.id);
      } catch {
        await sleep(TELL_AGAIN_MS, undefined, { ref: false });
      }
    }
    this.#isTelling = false;
  }

  /** Refuses what is not there, delete markers included. */
  find(bucket: string, key: string, versionId?: string): Version {
    this.assertBucket(bucket);
    const found = this.#catalog.find(bucket, key, versionId);
    if (found && !found.is_marker) return found;
    if (versionId === undefined) {
      throw new S3Refusal(404, 'NoSuchKey', 'The specified key does not exist.');
    }
    throw new S3Refusal(404, 'NoSuchVersion', 'The specified version does not exist.');
  }

  /** The bytes from `start` to `end`, both inclusive. */
  read({ version_id }: Version, start: number, end: number): AsyncIterable<Uint8Array> {
    return createReadStream(this.#file('versions', version_id), { start, end });
  }

  list(bucket: string, page: Page): Version[] {
    this.assertBucket(bucket);
    return this.#catalog.list(bucket, page);
  }

  listVersions(bucket: string, page: VersionsPage): ReturnType<Catalog['listVersions']> {
    this.assertBucket(bucket);
    return this.#catalog.listVersions(bucket, page);
  }

  /** Hides the object behind a delete marker, or forgets the named version for good. */
  async remove(bucket: string, key: string, versionId?: string): Promise<void> {
    this.assertBucket(bucket);
    if (versionId !== undefined) {
      const found = this.#catalog.find(bucket, key, versionId);
      this.#catalog.remove(versionId);
      if (found) await rm(this.#file('versions', versionId), { force: true });
      return;
    }
    const current = this.#catalog.find(bucket, key);
    if (!current || current.is_marker) return;
    const marker = { bucket, key, version_id: newVersionId(), is_marker: 1, bytes: 0 };
    const facts = { etag: '', modified_ms: Date.now(), headers: '{}' };
    this.#catalog.insert({ ...marker, ...facts }, undefined);
  }

  startUpload({ bucket, key, headers }: ObjectPlace): string {
    this.assertBucket(bucket);
    const id = newVersionId();
    this.#catalog.insertUpload({ id, bucket, key, headers: JSON.stringify(headers) });
    return id;
  }

  async putPart(
    uploadId: string,
    number: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<Part> {
    this.#upload(uploadId);
    const draft = this.#file('drafts', newVersionId());
    try {
      const part = { number, ...(await writeFlushed(draft, source, ANY_SIZE)) };
      await rename(draft, this.#file('parts', `${uploadId}.${number}`));
      this.#catalog.insertPart(uploadId, part);
      return part;
    } finally {
      await rm(draft, { force: true });
    }
  }

  /** Joins the named parts into one object. Refuses parts that are missing. */
  async finishUpload(uploadId: string, numbers: readonly number[]): Promise<Version> {
    const upload = this.#upload(uploadId);
    const known = this.#catalog.parts(uploadId);
    const parts = numbers.map((number) => known.find((part) => part.number === number));
    if (parts.length === 0 || parts.some((part) => !part)) {
      throw new S3Refusal(400, 'InvalidPart', 'One of the parts could not be found.');
    }
    const hash = createHash('md5');
    for (const part of parts) hash.update(Buffer.from(part?.etag ?? '', 'hex'));
    const etag = `${hash.digest('hex')}-${parts.length}`;
    const draft = this.#file('drafts', newVersionId());
    const files = numbers.map((number) => this.#file('parts', `${uploadId}.${number}`));
    try {
      const { bytes } = await writeFlushed(draft, joined(files), { min: 0, max: Infinity });
      const place = { ...upload, headers: JSON.parse(upload.headers) };
      const version = await this.#publish(draft, place, {
        bytes,
        etag,
        reason: 'CompleteMultipartUpload',
      });
      await this.dropUpload(uploadId);
      return version;
    } finally {
      await rm(draft, { force: true });
    }
  }

  async dropUpload(uploadId: string): Promise<void> {
    const parts = this.#catalog.parts(uploadId);
    this.#catalog.removeUpload(uploadId);
    for (const { number } of parts) {
      await rm(this.#file('parts', `${uploadId}.${number}`), { force: true });
    }
  }

  #upload(id: string): Upload {
    const upload = this.#catalog.findUpload(id);
    if (!upload) throw new S3Refusal(404, 'NoSuchUpload', 'The upload does not exist.');
    return upload;
  }

  close(): void {
    this.#closed = true;
    this.#catalog.close();
  }
}

/** In the order of time, and nobody can guess it. */
function newVersionId(): string {
  return `${Date.now().toString(36).padStart(9, '0')}${randomBytes(12).toString('hex')}`;
}

async function* joined(files: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const file of files) yield* createReadStream(file);
}

/** Writes the bytes and waits until the disk has them. */
async function writeFlushed(
  file: string,
  source: AsyncIterable<Uint8Array>,
  sizes: SizeRange,
): Promise<{ bytes: number; etag: string }> {
  const hash = createHash('md5');
  const handle = await open(file, 'wx');
  let bytes = 0;
  try {
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > sizes.max) {
        throw new S3Refusal(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum size');
      }
      hash.update(chunk);
      await handle.writev([chunk]);
    }
    if (bytes < sizes.min) {
      throw new S3Refusal(400, 'EntityTooSmall', 'Your proposed upload is smaller than allowed');
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes, etag: hash.digest('hex') };
}
