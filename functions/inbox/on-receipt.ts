import { againWhenBusy } from '../shared/again-when-busy.ts';
import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { inboxRetryPlan, queues, tables } from '../shared/resources.ts';
import { forwardReceipt } from './forward-receipt.ts';
import { ReceiptMessage } from './receipt-message.ts';

const world = {
  ...openInstance('inbox/on-receipt'),
  db: openDb({ tables: tables('inbox', 'outbox', 'meters') }),
  queues: openQueues(queues('inbox')),
  retryPlan: inboxRetryPlan(),
};

/** An outage that lets nobody claim a receipt is no fault of its message. */
const worker = againWhenBusy('inbox', forwardReceipt);

export const handler = metered(world, batch(world, ReceiptMessage, worker));
