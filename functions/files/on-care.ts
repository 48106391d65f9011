import { againWhenBusy } from '../shared/again-when-busy.ts';
import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { bucketName, queues, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { CareMessage, takeCare } from './take-care.ts';

const world = {
  ...{ clock: systemClock, ids: systemIds, log: jsonLog, bucket: openBucket(bucketName()) },
  db: openDb({ tables: tables('outbox', 'endpoints', 'deliveries', 'files') }),
  queues: openQueues(queues('file-blocks', 'file-events', 'file-care', 'delivery-slow')),
};

export const handler = batch(world, CareMessage, againWhenBusy('file-care', takeCare));
