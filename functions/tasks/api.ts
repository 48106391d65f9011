import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { type AskedEvents, eventsTaker } from '../tenants/take-events.ts';
import { cancelTask } from './cancel-task.ts';
import { createTask } from './create-task.ts';
import { getTask, listTasks } from './read-tasks.ts';
import { updateTask } from './update-task.ts';

const doors = {
  ...openInstance('tasks/api'),
  db: openDb({ tables: tables('control', 'tasks', 'meters') }),
};

const takeEvents = eventsTaker();

const world = {
  ...doors,
  queues: openQueues(queues('tasks')),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
  takeEvents: (asked: AskedEvents) => takeEvents(doors, asked),
};

const routes = [createTask, listTasks, getTask, updateTask, cancelTask];
export const handler = metered(world, api(world, routes, authenticator()));
