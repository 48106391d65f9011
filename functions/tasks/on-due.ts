import { wholeBatch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, tables } from '../shared/resources.ts';
import { fireTasks } from './fire-tasks.ts';
import { TaskMessage } from './task-message.ts';

const world = {
  ...openInstance('tasks/on-due'),
  db: openDb({ tables: tables('tasks', 'ledger', 'outbox', 'meters') }),
  queues: openQueues(queues('tasks')),
};

export const handler = metered(world, wholeBatch(world, TaskMessage, fireTasks));
