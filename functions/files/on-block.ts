import { againWhenBusy } from '../shared/again-when-busy.ts';
import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { openGuardedSender } from '../shared/http/guarded-sender.ts';
import { bucketName, queues, receivers, secrets, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { BlockMessage } from './block-message.ts';
import { deliverBlock } from './deliver-block.ts';

const world = {
  ...{ clock: systemClock, ids: systemIds, log: jsonLog, bucket: openBucket(bucketName()) },
  db: openDb({ tables: tables('outbox', 'endpoints', 'deliveries', 'files') }),
  queues: openQueues(queues('file-blocks', 'file-care', 'delivery-slow')),
  secrets: openSecrets(secrets('master-key')),
  http: openGuardedSender(receivers()),
};

export const handler = batch(world, BlockMessage, againWhenBusy('file-blocks', deliverBlock));
