import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { schedule } from '../shared/aws/schedule.ts';
import { openInstance } from '../shared/instance.ts';
import { parked, queues, tables } from '../shared/resources.ts';
import { sweepTables } from './sweep-tables.ts';

const swept = tables('deliveries', 'endpoints', 'files', 'inbox', 'ledger', 'tasks');

const world = {
  ...openInstance('timers/on-minute'),
  db: openDb({ tables: { ...swept, ...tables('control', 'meters') } }),
  queues: openQueues({
    ...queues('delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits', 'tasks'),
    ...queues('inbox', 'sweeps'),
  }),
  deadLetterQueues: openQueues({
    ...parked('delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits', 'tasks'),
    ...parked('inbox'),
  }),
};

export const handler = metered(world, schedule(world, sweepTables));
