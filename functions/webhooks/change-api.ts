import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openUrlCheck } from '../shared/http/url-check.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, receivers, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { deleteEndpoint } from './delete-endpoint.ts';
import { updateEndpoint } from './update-endpoint.ts';

const doors = openInstance('webhooks/change-api');
const db = openDb({ tables: tables('control', 'endpoints', 'meters') });
const store = { db, secrets: openSecrets(secrets('admin-key', 'master-key')) };
const lanes = { queues: openQueues(queues('endpoint-care')), http: openUrlCheck(receivers()) };
const world = { ...doors, ...store, ...lanes };
export const handler = metered(
  world,
  api(world, [updateEndpoint, deleteEndpoint], authenticator()),
);
