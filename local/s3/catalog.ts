import { type Database, openDatabase } from '../database.ts';

/**
 * `objects` has every version, the highest `id` of a key being the current one; a delete marker
 * has no bytes. `events` has the creations that nobody was told of yet: a row is written in the
 * same transaction as its object, so that `kill -9` loses neither.
 */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS objects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  version_id TEXT NOT NULL,
  is_marker INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified_ms INTEGER NOT NULL,
  headers TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS objects_by_key ON objects (bucket, key, id);
CREATE TABLE IF NOT EXISTS events (object_id INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS uploads (
  id TEXT PRIMARY KEY,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  headers TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS parts (
  upload_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  etag TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (upload_id, number)
) STRICT;
`;

/** One version of an object. */
export interface Version {
  readonly id: number;
  readonly bucket: string;
  readonly key: string;
  readonly version_id: string;
  readonly is_marker: number;
  readonly bytes: number;
  readonly etag: string;
  readonly modified_ms: number;
  /** JSON: the headers that are stored with the bytes and sent back with them. */
  readonly headers: string;
}

export type NewVersion = Omit<Version, 'id'>;

export interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly headers: string;
}

export interface Part {
  readonly number: number;
  readonly etag: string;
  readonly bytes: number;
}

/** Which keys a listing wants: at most `max` that begin with `prefix` and sort after `after`. */
export interface Page {
  readonly prefix: string;
  readonly after: string;
  readonly max: number;
}

/** Which versions a listing wants: those behind this version of this key. */
export interface VersionsPage extends Page {
  /** Of `after`; absent: all of that key were listed. */
  readonly afterVersion: string | undefined;
}

/** A creation that is to be told. */
export type CreatedEvent = Version & { readonly reason: string };

/** What there is in the buckets; the bytes are files beside it. */
export class Catalog {
  readonly #db: Database;

  constructor(file: string) {
    this.#db = openDatabase(file, SCHEMA, true);
  }

  /** With a `reason`, the creation becomes an event in the same transaction. */
  insert(version: NewVersion, reason: string | undefined): Version {
    return this.#db.atomically(() => {
      const { bucket, key, version_id, is_marker, bytes, etag, modified_ms, headers } = version;
      const [row] = this.#db.rows<{ id: number }>(
        `INSERT INTO objects (bucket, key, version_id, is_marker, bytes, etag, modified_ms, headers)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
        bucket,
        key,
        version_id,
        is_marker,
        bytes,
        etag,
        modified_ms,
        headers,
      );
      const id = row?.id ?? 0;
      if (reason) this.#db.run('INSERT INTO events VALUES (?, ?)', id, reason);
      return { ...version, id };
    });
  }

  /** The current version, or the named one. May be a delete marker. */
  find(bucket: string, key: string, versionId?: string): Version | undefined {
    const [found] = this.#db.rows<Version>(
      `SELECT * FROM objects WHERE bucket = ? AND key = ? AND (? IS NULL OR version_id = ?)
       ORDER BY id DESC LIMIT 1`,
      bucket,
      key,
      versionId ?? null,
      versionId ?? null,
    );
    return found;
  }

  remove(versionId: string): void {
    this.#db.run('DELETE FROM objects WHERE version_id = ?', versionId);
  }

  /** Current objects with keys after `after`, in the order of their keys. */
  list(bucket: string, { prefix, after, max }: Page): Version[] {
    return this.#db.rows<Version>(
      `SELECT * FROM objects AS o WHERE bucket = ? AND key > ? AND substr(key, 1, ?) = ?
         AND is_marker = 0
         AND id = (SELECT MAX(id) FROM objects WHERE bucket = o.bucket AND key = o.key)
       ORDER BY key LIMIT ?`,
      bucket,
      after,
      prefix.length,
      prefix,
      max,
    );
  }

  /** All versions, delete markers included, by their keys and the latest first. */
  listVersions(bucket: string, page: VersionsPage): (Version & { readonly is_latest: number })[] {
    const { prefix, after, afterVersion, max } = page;
    return this.#db.rows<Version & { readonly is_latest: number }>(
      `SELECT o.*, id = (SELECT MAX(id) FROM objects WHERE bucket = o.bucket AND key = o.key)
         AS is_latest
       FROM objects AS o WHERE bucket = ? AND substr(key, 1, ?) = ?
         AND (key > ? OR (key = ? AND id < (SELECT id FROM objects WHERE version_id = ?)))
       ORDER BY key, id DESC LIMIT ?`,
      bucket,
      prefix.length,
      prefix,
      after,
      after,
      afterVersion ?? null,
      max,
    );
  }

  /** The names of all files that have a row. */
  versionIds(): Set<string> {
    const rows = this.#db.rows<{ version_id: string }>('SELECT version_id FROM objects');
    return new Set(rows.map(({ version_id }) => version_id));
  }

  /** Creations that are still to be told, the oldest first. */
  openEvents(max: number): CreatedEvent[] {
    return this.#db.rows<CreatedEvent>(
      `SELECT o.*, e.reason FROM events e JOIN objects o ON o.id = e.object_id
       ORDER BY o.id LIMIT ?`,
      max,
    );
  }

  closeEvent(id: number): void {
    this.#db.run('DELETE FROM events WHERE object_id = ?', id);
  }

  insertUpload({ id, bucket, key, headers }: Upload): void {
    this.#db.run('INSERT INTO uploads VALUES (?, ?, ?, ?)', id, bucket, key, headers);
  }

  findUpload(id: string): Upload | undefined {
    return this.#db.rows<Upload>('SELECT * FROM uploads WHERE id = ?', id)[0];
  }

  insertPart(uploadId: string, { number, etag, bytes }: Part): void {
    this.#db.run('INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)', uploadId, number, etag, bytes);
  }

  parts(uploadId: string): Part[] {
    return this.#db.rows<Part>(
      'SELECT number, etag, bytes FROM parts WHERE upload_id = ? ORDER BY number',
      uploadId,
    );
  }

  removeUpload(id: string): void {
    this.#db.atomically(() => {
      this.#db.run('DELETE FROM parts WHERE upload_id = ?', id);
      this.#db.run('DELETE FROM uploads WHERE id = ?', id);
    });
  }

  close(): void {
    this.#db.close();
  }
}
