import { openDb } from '../shared/aws/db.ts';
import { openDeadLetters } from '../shared/aws/dead-letters.ts';
import { openIndexScan } from '../shared/aws/index-scan.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueueAges } from '../shared/aws/queue-ages.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { parked, queues, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { dropDeadLetter } from './drop-dead-letter.ts';
import { getMetrics } from './get-metrics.ts';
import { getReady } from './get-ready.ts';
import { listDeadLetters } from './list-dead-letters.ts';
import { redriveDeadLetters } from './redrive-dead-letters.ts';

const parkedUrls = {
  ...parked('delivery-fast', 'delivery-slow', 'file-events', 'file-blocks', 'file-care'),
  ...parked('endpoint-care', 'hold-expiry', 'audits', 'tasks', 'sweeps', 'unrelayed'),
  ...parked('inbox', 'unprojected'),
};
const queueUrls = {
  ...queues('delivery-fast', 'delivery-slow', 'file-events', 'file-blocks', 'file-care'),
  ...queues('endpoint-care', 'hold-expiry', 'audits', 'tasks', 'inbox', 'sweeps'),
};
const world = {
  ...openInstance('operations/admin-api'),
  db: openDb({ tables: tables('control', 'meters') }),
  indexes: openIndexScan(tables('endpoints')),
  deadLetters: openDeadLetters(parkedUrls, queueUrls),
  queueAges: openQueueAges(parkedUrls, queueUrls),
  secrets: openSecrets(secrets('admin-key')),
};

const routes = [getReady(), listDeadLetters, redriveDeadLetters, dropDeadLetter, getMetrics];
export const handler = metered(world, api(world, routes, authenticator()));
