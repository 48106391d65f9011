import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openUrlCheck } from '../shared/http/url-check.ts';
import { egress, queues, secrets, tables } from '../shared/resources.ts';
import {
  systemClock as clock,
  systemIds as ids,
  jsonLog as log,
  embeddedMetrics as metrics,
} from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { findEndpointsMax } from '../tenants/find-limits.ts';
import { createEndpoint } from './create-endpoint.ts';
import { getDelivery, listDeliveries } from './read-deliveries.ts';
import { getEndpoint, getEndpointSecret, listEndpoints } from './read-endpoints.ts';
import { sendAgain } from './send-again.ts';

const db = openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries') });
const endpointsMax = (tenantId: string) => findEndpointsMax({ db }, tenantId);
const doors = { clock, ids, log, metrics, db, queues: openQueues(queues('delivery-slow')) };
const store = { secrets: openSecrets(secrets('admin-key', 'cursor-key', 'master-key')) };
const world = { ...doors, ...store, endpointsMax, http: openUrlCheck({ egress: egress() }) };
const endpoints = [createEndpoint, listEndpoints, getEndpoint, getEndpointSecret];
const deliveries = [listDeliveries, getDelivery, sendAgain];
export const handler = api(world, [...endpoints, ...deliveries], authenticator());
