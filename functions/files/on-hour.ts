import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { bucketName, queues, tables } from '../shared/resources.ts';
import { jsonLog } from '../shared/system.ts';
import { findLostDrops } from './find-lost-drops.ts';

const world = {
  ...{ log: jsonLog, bucket: openBucket(bucketName()) },
  db: openDb({ tables: tables('files') }),
  queues: openQueues(queues('file-events')),
};

export const handler = () => findLostDrops(world);
