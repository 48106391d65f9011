import { batch } from '../shared/aws/batch.ts';
import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { openGuardedSender } from '../shared/http/guarded-sender.ts';
import { bucketName, queues, receivers, secrets, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { DeliveryOrder, deliverWebhook } from './deliver-webhook.ts';
import { rememberEndpoints } from './remember-endpoints.ts';

const clock = systemClock;
const db = openDb({ tables: tables('outbox', 'endpoints', 'deliveries') });
const lanes = openQueues(queues('delivery-slow', 'endpoint-care', 'file-care'));
const http = openGuardedSender(receivers());
const doors = { clock, ids: systemIds, log: jsonLog, db, queues: lanes, http };
const store = { bucket: openBucket(bucketName()), secrets: openSecrets(secrets('master-key')) };
const world = { ...doors, ...store, endpoints: rememberEndpoints({ clock, db }) };
export const handler = batch(world, DeliveryOrder, deliverWebhook);
