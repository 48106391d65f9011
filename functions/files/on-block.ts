import { againWhenBusy } from '../shared/again-when-busy.ts';
import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { openGuardedSender } from '../shared/http/guarded-sender.ts';
import { bucketName, queues, receivers, secrets, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { rememberEndpoints } from '../webhooks/remember-endpoints.ts';
import { BlockMessage } from './block-message.ts';
import { deliverBlock } from './deliver-block.ts';

const clock = systemClock;
const db = openDb({ tables: tables('outbox', 'endpoints', 'deliveries', 'files') });
const hints = openQueues(queues('file-blocks', 'file-care', 'delivery-slow', 'endpoint-care'));
const doors = { clock, ids: systemIds, log: jsonLog, db, queues: hints };
const store = { bucket: openBucket(bucketName()), secrets: openSecrets(secrets('master-key')) };
const http = openGuardedSender(receivers());
const world = { ...doors, ...store, http, endpoints: rememberEndpoints({ clock, db }) };

export const handler = batch(world, BlockMessage, againWhenBusy('file-blocks', deliverBlock));
