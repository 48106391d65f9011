export interface ObjectRange {
  readonly versionId?: string;
  /** First byte, inclusive. */
  readonly start?: number;
  /** Last byte, exclusive. */
  readonly end?: number;
}

export interface ObjectFacts {
  readonly bytes: number;
  readonly versionId?: string;
  /** What was stored with it: `x-amz-meta-*`, by the names after that. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Where a listing goes on: behind this version of this key. */
export interface ObjectMark {
  readonly key: string;
  readonly versionId: string | undefined;
}

/** A version of an object, and when it was put there. */
export interface ObjectVersion extends ObjectMark {
  readonly modifiedMs: number;
}

/** Some versions of objects under a prefix, and where to go on. */
export interface VersionPage {
  readonly versions: readonly ObjectVersion[];
  readonly next?: ObjectMark;
}

export interface PresignedPost {
  readonly method: 'POST';
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface Bucket {
  readonly name: string;
  put(key: string, body: Uint8Array, contentType: string): Promise<void>;
  /** The bytes of an object in chunks of any size. Undefined when there is no such object. */
  read(key: string, range?: ObjectRange): Promise<AsyncIterable<Uint8Array> | undefined>;
  stat(key: string, versionId?: string): Promise<ObjectFacts | undefined>;
  /**
   * Up to a thousand versions of the objects under a prefix, those that were overwritten or deleted
   * included; `after` is the `next` of the page before.
   */
  listVersions(prefix: string, after?: ObjectMark): Promise<VersionPage>;
}

/** Apart from the bucket, because only one function needs its code. */
export interface Uploads {
  /** A form that takes exactly this key and a body of `minBytes` to `maxBytes`. */
  presignPost(form: {
    readonly key: string;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly expiresInSeconds: number;
  }): Promise<PresignedPost>;
}

/** Apart from the bucket as well. */
export interface Downloads {
  /** A link to an object, for whoever has it. */
  presignGet(key: string, expiresInSeconds: number): Promise<string>;
}
