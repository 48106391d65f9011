import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openUrlCheck } from '../shared/http/url-check.ts';
import { openInstance } from '../shared/instance.ts';
import { receivers, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { findEndpointTerms } from '../tenants/find-limits.ts';
import { createEndpoint } from './create-endpoint.ts';
import { getEndpoint, getEndpointSecret, listEndpoints } from './read-endpoints.ts';
import { rotateSecret } from './rotate-secret.ts';

const db = openDb({ tables: tables('control', 'endpoints', 'meters') });
const endpointTerms = (tenantId: string) => findEndpointTerms({ db }, tenantId);
const store = { secrets: openSecrets(secrets('admin-key', 'cursor-key', 'master-key')) };
const http = openUrlCheck(receivers());
const doors = { ...openInstance('webhooks/api'), db };
const world = { ...doors, ...store, endpointTerms, http };
const reads = [listEndpoints, getEndpoint, getEndpointSecret];
export const handler = metered(
  world,
  api(world, [...reads, createEndpoint, rotateSecret], authenticator()),
);
