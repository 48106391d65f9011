import { againWhenBusy } from '../shared/again-when-busy.ts';
import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, tables } from '../shared/resources.ts';
import { CareOrder, careForEndpoint } from './care-for-endpoint.ts';
import { rememberEndpoints } from './remember-endpoints.ts';

const instance = openInstance('webhooks/on-care');
const { clock } = instance;
const db = openDb({ tables: tables('outbox', 'endpoints', 'deliveries', 'meters') });
const hints = openQueues(queues('delivery-slow', 'endpoint-care', 'file-care'));
const doors = { ...instance, db, queues: hints };
const world = { ...doors, endpoints: rememberEndpoints({ clock, db }) };

/** Others and an outage are no fault of a message. */
const worker = againWhenBusy('endpoint-care', careForEndpoint);
export const handler = metered(world, batch(world, CareOrder, worker));
