import { openDb } from '../shared/aws/db.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { captureHold } from './capture-hold.ts';
import { createAccount } from './create-account.ts';
import { createBatch } from './create-batch.ts';
import { createHold } from './create-hold.ts';
import { createReversal } from './create-reversal.ts';
import { createTransaction } from './create-transaction.ts';
import { getAccount, listAccounts } from './read-accounts.ts';
import { listEntries } from './read-entries.ts';
import { getHold, listHolds } from './read-holds.ts';
import { getTransaction, listTransactions } from './read-transactions.ts';
import { updateAccount } from './update-account.ts';
import { voidHold } from './void-hold.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  ...{ log: jsonLog, metrics: embeddedMetrics },
  db: openDb({ tables: tables('control', 'ledger', 'statements', 'outbox') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

const routes = [
  ...[createAccount, listAccounts, getAccount, updateAccount, listEntries],
  ...[createTransaction, createBatch, createReversal, listTransactions, getTransaction],
  ...[createHold, captureHold, voidHold, listHolds, getHold],
];

export const handler = api(world, routes, authenticator());
