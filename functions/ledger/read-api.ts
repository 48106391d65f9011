import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { getAccount, listAccounts } from './read-accounts.ts';
import { listEntries } from './read-entries.ts';
import { getHold, listHolds } from './read-holds.ts';
import { getTransaction, listTransactions } from './read-transactions.ts';

const world = {
  ...openInstance('ledger/read-api'),
  db: openDb({ tables: tables('control', 'ledger', 'statements', 'meters') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

const routes = [
  ...[listAccounts, getAccount, listEntries],
  ...[listTransactions, getTransaction, listHolds, getHold],
];

export const handler = metered(world, api(world, routes, authenticator()));
