import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { stream } from '../shared/aws/stream.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, tables } from '../shared/resources.ts';
import { relayRecords } from './relay-records.ts';
import { rememberBursts } from './remember-bursts.ts';
import { rememberSets } from './remember-endpoints.ts';

const db = openDb({ tables: tables('outbox', 'endpoints', 'deliveries', 'meters') });
const lanes = openQueues(queues('delivery-fast', 'delivery-slow'));
const doors = { ...openInstance('webhooks/on-outbox'), db, queues: lanes };

const memory = { endpointSets: rememberSets(doors), fastLane: rememberBursts() };

const world = { ...doors, ...memory };

export const handler = metered(world, stream(world, relayRecords));
