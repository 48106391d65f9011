import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { stream } from '../shared/aws/stream.ts';
import { queues, tables } from '../shared/resources.ts';
import { jsonLog, embeddedMetrics as metrics, systemClock, systemIds } from '../shared/system.ts';
import { relayRecords } from './relay-records.ts';
import { rememberBursts } from './remember-bursts.ts';
import { rememberSets } from './remember-endpoints.ts';

const db = openDb({ tables: tables('outbox', 'endpoints', 'deliveries') });
const lanes = openQueues(queues('delivery-fast', 'delivery-slow'));
const doors = { clock: systemClock, ids: systemIds, log: jsonLog, metrics, db, queues: lanes };

const memory = { endpointSets: rememberSets(doors), fastLane: rememberBursts(doors) };

export const handler = stream({ ...doors, ...memory }, relayRecords);
