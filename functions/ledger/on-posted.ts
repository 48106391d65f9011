import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { stream } from '../shared/aws/stream.ts';
import { queues, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { projectEntries } from './project-entries.ts';
import { remindOfHolds } from './remind-of-holds.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  log: jsonLog,
  db: openDb({ tables: tables('statements') }),
  queues: openQueues(queues('hold-expiry')),
};

export const handler = stream(world, async (records) => {
  const failed = await projectEntries(records, world);
  await remindOfHolds(records, world);
  return failed;
});
