import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { queues, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { CareOrder, careForEndpoint } from './care-for-endpoint.ts';
import { rememberEndpoints } from './remember-endpoints.ts';

const clock = systemClock;
const db = openDb({ tables: tables('outbox', 'endpoints', 'deliveries') });
const hints = openQueues(queues('delivery-slow', 'endpoint-care', 'file-care'));
const doors = { clock, ids: systemIds, log: jsonLog, db, queues: hints };
const world = { ...doors, endpoints: rememberEndpoints({ clock, db }) };

export const handler = batch(world, CareOrder, careForEndpoint);
