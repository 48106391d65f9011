import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Downloads } from '../bucket.ts';
import { lazily } from '../lazily.ts';
import { PATIENCE } from './answered.ts';

/** Links to the objects of a bucket, signed by the rights of the function that makes them. */
export function openDownloads(name: string): Downloads {
  const client = lazily(() => new S3Client({ ...PATIENCE, forcePathStyle: true }));
  return {
    presignGet: (key, expiresIn) =>
      getSignedUrl(client(), new GetObjectCommand({ Bucket: name, Key: key }), { expiresIn }),
  };
}
