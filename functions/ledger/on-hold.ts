import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, tables } from '../shared/resources.ts';
import { expireHold } from './expire-hold.ts';
import { HoldMessage } from './hold-message.ts';

const world = {
  ...openInstance('ledger/on-hold'),
  db: openDb({ tables: tables('ledger', 'outbox', 'meters') }),
  queues: openQueues(queues('hold-expiry')),
};

export const handler = metered(world, batch(world, HoldMessage, expireHold));
