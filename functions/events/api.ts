import { openDb } from '../shared/aws/db.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { hasEndpoint } from '../webhooks/find-addressee.ts';
import { createEvent } from './create-event.ts';
import { createEventBatch } from './create-event-batch.ts';

const db = openDb({ tables: tables('control', 'outbox', 'endpoints') });

const world = {
  clock: systemClock,
  ids: systemIds,
  ...{ log: jsonLog, metrics: embeddedMetrics },
  db,
  hasEndpoint: (tenantId: string, endpointId: string) => hasEndpoint({ db }, tenantId, endpointId),
  secrets: openSecrets(secrets('admin-key')),
};

export const handler = api(world, [createEvent, createEventBatch], authenticator());
