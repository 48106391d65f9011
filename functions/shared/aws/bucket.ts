import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Bucket, ObjectMark, ObjectRange, VersionPage } from '../bucket.ts';
import { answered } from './answered.ts';
import { openS3 } from './s3.ts';

/** The World's bucket on S3. */
export function openBucket(name: string): Bucket {
  const client = openS3();
  return {
    name,
    async put(key, body, contentType) {
      const input = { Bucket: name, Key: key, Body: body, ContentType: contentType };
      await answered('bucket', () => client().send(new PutObjectCommand(input)));
    },
    read: (key, range) => readObject(client(), { Bucket: name, Key: key }, range),
    stat: (key, versionId) =>
      statObject(client(), { Bucket: name, Key: key, VersionId: versionId }),
    listVersions: (prefix, after) =>
      listVersions(client(), { Bucket: name, Prefix: prefix }, after),
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

async function listVersions(
  client: S3Client,
  folder: { Bucket: string; Prefix: string },
  after: ObjectMark | undefined,
): Promise<VersionPage> {
  const reply = await client.send(
    new ListObjectVersionsCommand({
      ...folder,
      // Some characters that a key may have, XML may not.
      EncodingType: 'url',
      KeyMarker: after?.key,
      VersionIdMarker: after?.versionId,
    }),
  );
  const versions = (reply.Versions ?? []).map(({ Key = '', VersionId, LastModified }) => ({
    key: decodeKey(Key),
    versionId: VersionId,
    modifiedMs: LastModified?.getTime() ?? 0,
  }));
  if (!reply.IsTruncated) return { versions };
  const key = decodeKey(reply.NextKeyMarker ?? '');
  return { versions, next: { key, versionId: reply.NextVersionIdMarker } };
}

const decodeKey = (key: string) => decodeURIComponent(key.replaceAll('+', ' '));

function undefinedIfMissing(error: unknown): undefined {
  const missing = error instanceof NoSuchKey || error instanceof NotFound;
  if (missing || (error instanceof Error && error.name === 'NoSuchVersion')) return undefined;
  throw error;
}
