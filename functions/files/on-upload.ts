import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { bucketName, queues, tables } from '../shared/resources.ts';
import { takeUpload } from './take-upload.ts';
import { UploadMessage } from './upload-message.ts';

const world = {
  ...openInstance('files/on-upload'),
  bucket: openBucket(bucketName()),
  db: openDb({ tables: tables('control', 'outbox', 'endpoints', 'files', 'meters') }),
  queues: openQueues(queues('file-blocks')),
};

export const handler = metered(world, batch(world, UploadMessage, takeUpload));
