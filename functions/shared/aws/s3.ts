import { S3Client } from '@aws-sdk/client-s3';
import { lazily } from '../lazily.ts';
import { PATIENCE } from './answered.ts';

/** A client of S3, made when it is first asked for. */
export function openS3(): () => S3Client {
  // Path style, so that an endpoint on an address works as well as AWS's own hosts.
  return lazily(() => new S3Client({ ...PATIENCE, forcePathStyle: true }));
}
