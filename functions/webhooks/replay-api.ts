import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { queues, secrets, tables } from '../shared/resources.ts';
import {
  systemClock as clock,
  systemIds as ids,
  jsonLog as log,
  embeddedMetrics as metrics,
} from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { createReplay } from './create-replay.ts';
import { endReplay } from './end-replay.ts';
import { getReplay, listReplays } from './read-replays.ts';

const db = openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries') });
const store = { secrets: openSecrets(secrets('admin-key', 'cursor-key')) };
const doors = { clock, ids, log, metrics, queues: openQueues(queues('endpoint-care')) };
const routes = [createReplay, listReplays, getReplay, endReplay];
export const handler = api({ ...doors, ...store, db }, routes, authenticator());
