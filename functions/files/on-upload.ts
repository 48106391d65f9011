import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { bucketName, queues, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { takeUpload } from './take-upload.ts';
import { UploadMessage } from './upload-message.ts';

const world = {
  ...{ clock: systemClock, ids: systemIds, log: jsonLog, bucket: openBucket(bucketName()) },
  db: openDb({ tables: tables('control', 'outbox', 'endpoints', 'files') }),
  queues: openQueues(queues('file-blocks')),
  metrics: embeddedMetrics,
};

export const handler = batch(world, UploadMessage, takeUpload);
