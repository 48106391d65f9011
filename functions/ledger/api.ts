import { openDb } from '../shared/aws/db.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { secrets, tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { createAccount } from './create-account.ts';
import { createTransaction } from './create-transaction.ts';
import { getTransaction } from './get-transaction.ts';
import { getAccount, listAccounts } from './read-accounts.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  log: jsonLog,
  db: openDb({ tables: tables('control', 'ledger', 'statements', 'outbox') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

const routes = [createAccount, listAccounts, getAccount, createTransaction, getTransaction];

export const handler = api(world, routes, authenticator());
