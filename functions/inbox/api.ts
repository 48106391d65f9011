import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { inboxBacklogMax, queues, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { dailyEventsReader } from '../tenants/find-limits.ts';
import { type AskedEvents, eventsTaker } from '../tenants/take-events.ts';
import { type TakeToken, tokenTaker } from '../tenants/take-token.ts';
import { createWebhook } from './create-webhook.ts';
import { receiveWebhook } from './receive-webhook.ts';
import { rememberSources } from './remember-source.ts';

const doors = {
  ...openInstance('inbox/api'),
  db: openDb({ tables: tables('control', 'inbox', 'meters') }),
  queues: openQueues(queues('inbox')),
  secrets: openSecrets(secrets('admin-key', 'master-key')),
};
const take: TakeToken = tokenTaker();
const takeOfFailed: TakeToken = tokenTaker();
const takeEvents = eventsTaker();
const readDailyEvents = dailyEventsReader();

const world = {
  ...doors,
  sources: rememberSources(),
  apiBacklogMax: inboxBacklogMax(),
  takeToken: (name: string, limit: Parameters<TakeToken>[2]) => take(doors, name, limit),
  takeFailure: (name: string, limit: Parameters<TakeToken>[2]) => takeOfFailed(doors, name, limit),
  takeEvents: (asked: AskedEvents) => takeEvents(doors, asked),
  dailyEventsOf: (tenantId: string) => readDailyEvents(doors, tenantId),
};

export const handler = metered(world, api(world, [receiveWebhook, createWebhook], authenticator()));
