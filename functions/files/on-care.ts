import { againWhenBusy } from '../shared/again-when-busy.ts';
import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { bucketName, queues, tables } from '../shared/resources.ts';
import { CareMessage, takeCare } from './take-care.ts';

const world = {
  ...openInstance('files/on-care'),
  bucket: openBucket(bucketName()),
  db: openDb({ tables: tables('outbox', 'endpoints', 'deliveries', 'files', 'meters') }),
  queues: openQueues(queues('file-blocks', 'file-events', 'file-care', 'delivery-slow')),
};

export const handler = metered(
  world,
  batch(world, CareMessage, againWhenBusy('file-care', takeCare)),
);
