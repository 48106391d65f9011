import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { createReplay } from './create-replay.ts';
import { endReplay } from './end-replay.ts';
import { getReplay, listReplays } from './read-replays.ts';

const db = openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries', 'meters') });
const store = { secrets: openSecrets(secrets('admin-key', 'cursor-key')) };
const doors = {
  ...openInstance('webhooks/replay-api'),
  queues: openQueues(queues('endpoint-care')),
};
const routes = [createReplay, listReplays, getReplay, endReplay];
const world = { ...doors, ...store, db };
export const handler = metered(world, api(world, routes, authenticator()));
