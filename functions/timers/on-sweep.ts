import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, tables } from '../shared/resources.ts';
import { RestMessage } from './rest-message.ts';
import { sweepRest } from './sweep-rest.ts';

const swept = tables('deliveries', 'endpoints', 'files', 'inbox', 'ledger', 'tasks');

const world = {
  ...openInstance('timers/on-sweep'),
  db: openDb({ tables: { ...swept, ...tables('control', 'meters') } }),
  queues: openQueues({
    ...queues('delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits', 'tasks'),
    ...queues('inbox', 'sweeps'),
  }),
};

export const handler = metered(world, batch(world, RestMessage, sweepRest));
