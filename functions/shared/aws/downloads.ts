import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Downloads } from '../bucket.ts';
import { openS3 } from './s3.ts';

/** Links to the objects of a bucket, signed by the rights of the function that makes them. */
export function openDownloads(name: string): Downloads {
  const client = openS3();
  return {
    presignGet: (key, expiresIn) =>
      getSignedUrl(client(), new GetObjectCommand({ Bucket: name, Key: key }), { expiresIn }),
  };
}
