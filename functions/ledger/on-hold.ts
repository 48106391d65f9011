import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { queues, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { expireHold } from './expire-hold.ts';
import { HoldMessage } from './hold-message.ts';

const world = {
  ...{ clock: systemClock, ids: systemIds, log: jsonLog },
  db: openDb({ tables: tables('ledger', 'outbox') }),
  queues: openQueues(queues('hold-expiry')),
};

export const handler = batch(world, HoldMessage, expireHold);
