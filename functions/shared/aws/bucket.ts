import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import type { Bucket, ObjectRange } from '../bucket.ts';
import { lazily } from '../lazily.ts';
import { answered, PATIENCE } from './answered.ts';

/** The World's bucket on S3. */
export function openBucket(name: string): Bucket {
  // Path style, so that an endpoint on an address works as well as AWS's own hosts.
  const client = lazily(() => new S3Client({ ...PATIENCE, forcePathStyle: true }));
  return {
    name,
    async put(key, body, contentType) {
      const input = { Bucket: name, Key: key, Body: body, ContentType: contentType };
      await answered('bucket', () => client().send(new PutObjectCommand(input)));
    },
    read: (key, range) => readObject(client(), { Bucket: name, Key: key }, range),
    stat: (key, versionId) =>
      statObject(client(), { Bucket: name, Key: key, VersionId: versionId }),
    async list(prefix, after) {
      const input = { Bucket: name, Prefix: prefix, ContinuationToken: after };
      const { Contents = [], NextContinuationToken: next } = await client().send(
        new ListObjectsV2Command(input),
      );
      const keys = Contents.flatMap(({ Key }) => Key ?? []);
      return next === undefined ? { keys } : { keys, next };
    },
    async presignPost({ key, minBytes, maxBytes, expiresInSeconds }) {
      const { url, fields } = await createPresignedPost(client(), {
        Bucket: name,
        Key: key,
        Conditions: [['content-length-range', minBytes, maxBytes]],
        Expires: expiresInSeconds,
      });
      return { method: 'POST', url, fields };
    },
  };
}

async function readObject(
  client: S3Client,
  object: { Bucket: string; Key: string },
  range: ObjectRange = {},
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const { versionId, start, end } = range;
  const isPart = start !== undefined || end !== undefined;
  try {
    const { Body } = await client.send(
      new GetObjectCommand({
        ...object,
        VersionId: versionId,
        // S3 counts the last byte in.
        Range: isPart ? `bytes=${start ?? 0}-${end === undefined ? '' : end - 1}` : undefined,
      }),
    );
    return Body as AsyncIterable<Uint8Array> | undefined;
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

async function statObject(
  client: S3Client,
  object: { Bucket: string; Key: string; VersionId: string | undefined },
) {
  try {
    const {
      ContentLength = 0,
      VersionId,
      Metadata,
    } = await client.send(new HeadObjectCommand(object));
    const facts = { bytes: ContentLength, ...(Metadata && { metadata: Metadata }) };
    return VersionId === undefined ? facts : { ...facts, versionId: VersionId };
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

function undefinedIfMissing(error: unknown): undefined {
  const missing = error instanceof NoSuchKey || error instanceof NotFound;
  if (missing || (error instanceof Error && error.name === 'NoSuchVersion')) return undefined;
  throw error;
}
