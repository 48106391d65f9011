import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openUrlCheck } from '../shared/http/url-check.ts';
import { queues, receivers, secrets, tables } from '../shared/resources.ts';
import {
  systemClock as clock,
  systemIds as ids,
  jsonLog as log,
  embeddedMetrics as metrics,
} from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { findEndpointTerms } from '../tenants/find-limits.ts';
import { createEndpoint } from './create-endpoint.ts';
import { deleteEndpoint } from './delete-endpoint.ts';
import { getEndpoint, getEndpointSecret, listEndpoints } from './read-endpoints.ts';
import { rotateSecret } from './rotate-secret.ts';
import { updateEndpoint } from './update-endpoint.ts';

const db = openDb({ tables: tables('control', 'endpoints') });
const endpointTerms = (tenantId: string) => findEndpointTerms({ db }, tenantId);
const store = { secrets: openSecrets(secrets('admin-key', 'cursor-key', 'master-key')) };
const http = openUrlCheck(receivers());
const doors = { clock, ids, log, metrics, db, queues: openQueues(queues('endpoint-care')) };
const world = { ...doors, ...store, endpointTerms, http };
const reads = [listEndpoints, getEndpoint, getEndpointSecret];
const changes = [createEndpoint, updateEndpoint, deleteEndpoint, rotateSecret];
export const handler = api(world, [...reads, ...changes], authenticator());
