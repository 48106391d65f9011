import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { schedule } from '../shared/aws/schedule.ts';
import { openInstance } from '../shared/instance.ts';
import { bucketName, queues, tables } from '../shared/resources.ts';
import { findLostDrops } from './find-lost-drops.ts';

const world = {
  ...openInstance('files/on-hour'),
  bucket: openBucket(bucketName()),
  db: openDb({ tables: tables('files', 'meters') }),
  queues: openQueues(queues('file-events')),
};

export const handler = metered(world, schedule(world, findLostDrops));
