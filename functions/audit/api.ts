import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { queues, secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { createAudit } from './create-audit.ts';
import { getAudit, listAudits } from './read-audits.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  ...{ log: jsonLog, metrics: embeddedMetrics },
  db: openDb({ tables: tables('control') }),
  queues: openQueues(queues('audits')),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

export const handler = api(world, [createAudit, listAudits, getAudit], authenticator());
