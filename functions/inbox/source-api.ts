import type { RelayedEvent } from '../events/event.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { findStates } from '../webhooks/find-states.ts';
import { deleteSourceById, rotateSourceSecret, updateSource } from './change-source.ts';
import { createSource } from './create-source.ts';
import { getWebhook, getWebhookBody, listWebhooks } from './read-receipts.ts';
import { getSource, listSources } from './read-sources.ts';
import { replayFailed } from './send-failed-again.ts';
import { replayWebhook } from './send-receipt-again.ts';

const doors = {
  ...openInstance('inbox/source-api'),
  db: openDb({ tables: tables('control', 'inbox', 'outbox', 'endpoints', 'deliveries', 'meters') }),
  queues: openQueues(queues('inbox')),
  secrets: openSecrets(secrets('admin-key', 'cursor-key', 'master-key')),
};
const world = { ...doors, findStates: (event: RelayedEvent) => findStates(doors, event) };

const changes = [createSource, updateSource, deleteSourceById, rotateSourceSecret];
const receipts = [listWebhooks, getWebhook, getWebhookBody, replayWebhook, replayFailed];
const routes = [...changes, listSources, getSource, ...receipts];
export const handler = metered(world, api(world, routes, authenticator()));
