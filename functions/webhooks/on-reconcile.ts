import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { schedule } from '../shared/aws/schedule.ts';
import { openInstance } from '../shared/instance.ts';
import { patience, queues, tables } from '../shared/resources.ts';
import { reconcileOutbox } from './reconcile-outbox.ts';
import { rememberBursts } from './remember-bursts.ts';
import { rememberSets } from './remember-endpoints.ts';

const db = openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries', 'meters') });
const lanes = openQueues(queues('delivery-fast', 'delivery-slow'));
const doors = { ...openInstance('webhooks/on-reconcile'), db, queues: lanes };
const memory = { endpointSets: rememberSets(doors), fastLane: rememberBursts() };
const world = { ...doors, ...memory, patience: patience() };

export const handler = metered(world, schedule(world, reconcileOutbox));
