import { openDb } from '../shared/aws/db.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openGuardedSender } from '../shared/http/guarded-sender.ts';
import { receivers, secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { testEndpoint } from './test-endpoint.ts';

const doors = { clock: systemClock, ids: systemIds, log: jsonLog, metrics: embeddedMetrics };
const store = { secrets: openSecrets(secrets('admin-key', 'master-key')) };
const http = openGuardedSender(receivers());
const world = { ...doors, ...store, db: openDb({ tables: tables('control', 'endpoints') }), http };
export const handler = api(world, [testEndpoint], authenticator());
