import { openDb } from '../shared/aws/db.ts';
import { openDeadLetters } from '../shared/aws/dead-letters.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { parked, queues, secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { dropDeadLetter } from './drop-dead-letter.ts';
import { listDeadLetters } from './list-dead-letters.ts';
import { redriveDeadLetters } from './redrive-dead-letters.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  ...{ log: jsonLog, metrics: embeddedMetrics },
  db: openDb({ tables: tables('control') }),
  deadLetters: openDeadLetters(
    {
      ...parked('delivery-fast', 'delivery-slow', 'file-events', 'file-blocks', 'file-care'),
      ...parked('endpoint-care', 'hold-expiry', 'audits', 'tasks', 'unrelayed', 'unprojected'),
    },
    {
      ...queues('delivery-fast', 'delivery-slow', 'file-events', 'file-blocks', 'file-care'),
      ...queues('endpoint-care', 'hold-expiry', 'audits', 'tasks'),
    },
  ),
  secrets: openSecrets(secrets('admin-key')),
};

const routes = [listDeadLetters, redriveDeadLetters, dropDeadLetter];
export const handler = api(world, routes, authenticator());
