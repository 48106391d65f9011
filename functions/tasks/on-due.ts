import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { queues, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { fireTask } from './fire-task.ts';
import { TaskMessage } from './task-message.ts';

const world = {
  ...{ clock: systemClock, ids: systemIds, log: jsonLog },
  db: openDb({ tables: tables('tasks', 'ledger', 'outbox') }),
  queues: openQueues(queues('tasks')),
};

export const handler = batch(world, TaskMessage, fireTask);
