import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { stream } from '../shared/aws/stream.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, tables } from '../shared/resources.ts';
import { projectEntries } from './project-entries.ts';
import { remindOfHolds } from './remind-of-holds.ts';

const world = {
  ...openInstance('ledger/on-posted'),
  db: openDb({ tables: tables('statements', 'meters') }),
  queues: openQueues(queues('hold-expiry')),
};

export const handler = metered(
  world,
  stream(world, async (records) => {
    const failed = await projectEntries(records, world);
    await remindOfHolds(records, world);
    return failed;
  }),
);
