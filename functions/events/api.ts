import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { type AskedEvents, eventsTaker } from '../tenants/take-events.ts';
import { hasEndpoint } from '../webhooks/find-addressee.ts';
import { findStates } from '../webhooks/find-states.ts';
import { createAlert } from './create-alert.ts';
import { createEvent } from './create-event.ts';
import { createEventBatch } from './create-event-batch.ts';
import type { RelayedEvent } from './event.ts';
import { getEvent, listEvents } from './read-events.ts';

const db = openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries', 'meters') });
const doors = { ...openInstance('events/api'), db };

const takeEvents = eventsTaker();

const world = {
  ...doors,
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
  hasEndpoint: (tenantId: string, endpointId: string) => hasEndpoint({ db }, tenantId, endpointId),
  takeEvents: (asked: AskedEvents) => takeEvents(doors, asked),
  findStates: (event: RelayedEvent) => findStates(doors, event),
};

const routes = [createEvent, createEventBatch, createAlert, listEvents, getEvent];
export const handler = metered(world, api(world, routes, authenticator()));
