import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { secrets, tables } from '../shared/resources.ts';
import { authenticator } from './authenticate.ts';
import { createKey, createTenantKey } from './create-key.ts';
import { createTenant } from './create-tenant.ts';
import { getOwnTenant, getTenant } from './get-tenant.ts';
import { listTenants } from './list-tenants.ts';
import { getKey, listKeys } from './read-keys.ts';
import { revokeKey } from './revoke-key.ts';
import { rotateKey } from './rotate-key.ts';
import { updateTenant } from './update-tenant.ts';

const world = {
  ...openInstance('tenants/api'),
  db: openDb({ tables: tables('control', 'meters') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

const tenants = [createTenant, listTenants, getTenant, updateTenant, createTenantKey, getOwnTenant];
const keys = [createKey, listKeys, getKey, revokeKey, rotateKey];
export const handler = metered(world, api(world, [...tenants, ...keys], authenticator()));
