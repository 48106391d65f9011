import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { createAudit } from './create-audit.ts';
import { getAudit, listAudits } from './read-audits.ts';

const world = {
  ...openInstance('audit/api'),
  db: openDb({ tables: tables('control', 'meters') }),
  queues: openQueues(queues('audits')),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

export const handler = metered(
  world,
  api(world, [createAudit, listAudits, getAudit], authenticator()),
);
