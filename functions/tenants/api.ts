import { openDb } from '../shared/aws/db.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { secrets, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from './authenticate.ts';
import { createTenant } from './create-tenant.ts';
import { getOwnTenant, getTenant } from './get-tenant.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  log: jsonLog,
  db: openDb({ tables: tables('control') }),
  secrets: openSecrets(secrets('admin-key')),
};

export const handler = api(world, [createTenant, getTenant, getOwnTenant], authenticator());
