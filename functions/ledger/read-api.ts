import { openDb } from '../shared/aws/db.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { getAccount, listAccounts } from './read-accounts.ts';
import { listEntries } from './read-entries.ts';
import { getHold, listHolds } from './read-holds.ts';
import { getTransaction, listTransactions } from './read-transactions.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  ...{ log: jsonLog, metrics: embeddedMetrics },
  db: openDb({ tables: tables('control', 'ledger', 'statements') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

const routes = [
  ...[listAccounts, getAccount, listEntries],
  ...[listTransactions, getTransaction, listHolds, getHold],
];

export const handler = api(world, routes, authenticator());
