import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openGuardedSender } from '../shared/http/guarded-sender.ts';
import { openInstance } from '../shared/instance.ts';
import { receivers, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { testEndpoint } from './test-endpoint.ts';

const doors = openInstance('webhooks/test-api');
const store = { secrets: openSecrets(secrets('admin-key', 'master-key')) };
const http = openGuardedSender(receivers());
const world = {
  ...doors,
  ...store,
  db: openDb({ tables: tables('control', 'endpoints', 'meters') }),
  http,
};
export const handler = metered(world, api(world, [testEndpoint], authenticator()));
