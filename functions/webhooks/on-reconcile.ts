import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { schedule } from '../shared/aws/schedule.ts';
import { patience, queues, tables } from '../shared/resources.ts';
import { jsonLog, embeddedMetrics as metrics, systemClock, systemIds } from '../shared/system.ts';
import { reconcileOutbox } from './reconcile-outbox.ts';
import { rememberBursts } from './remember-bursts.ts';
import { rememberSets } from './remember-endpoints.ts';

const db = openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries') });
const lanes = openQueues(queues('delivery-fast', 'delivery-slow'));
const doors = { clock: systemClock, ids: systemIds, log: jsonLog, metrics, db, queues: lanes };
const memory = { endpointSets: rememberSets(doors), fastLane: rememberBursts(doors) };
const world = { ...doors, ...memory, patience: patience() };

export const handler = schedule(world, reconcileOutbox);
