import { againWhenBusy } from '../shared/again-when-busy.ts';
import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { openGuardedSender } from '../shared/http/guarded-sender.ts';
import { openInstance } from '../shared/instance.ts';
import { bucketName, queues, receivers, secrets, tables } from '../shared/resources.ts';
import { rememberEndpoints } from '../webhooks/remember-endpoints.ts';
import { BlockMessage } from './block-message.ts';
import { deliverBlock } from './deliver-block.ts';

const instance = openInstance('files/on-block');
const { clock } = instance;
const db = openDb({ tables: tables('outbox', 'endpoints', 'deliveries', 'files', 'meters') });
const hints = openQueues(queues('file-blocks', 'file-care', 'delivery-slow', 'endpoint-care'));
const doors = { ...instance, db, queues: hints };
const store = { bucket: openBucket(bucketName()), secrets: openSecrets(secrets('master-key')) };
const http = openGuardedSender(receivers());
const world = { ...doors, ...store, http, endpoints: rememberEndpoints({ clock, db }) };

export const handler = metered(
  world,
  batch(world, BlockMessage, againWhenBusy('file-blocks', deliverBlock)),
);
