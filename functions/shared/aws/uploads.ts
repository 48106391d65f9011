import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import type { Uploads } from '../bucket.ts';
import { openS3 } from './s3.ts';

/** Forms for uploads to a bucket, signed by the rights of the function that makes them. */
export function openUploads(name: string): Uploads {
  const client = openS3();
  return {
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
