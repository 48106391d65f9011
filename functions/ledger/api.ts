import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { captureHold } from './capture-hold.ts';
import { createAccount } from './create-account.ts';
import { createBatch } from './create-batch.ts';
import { createHold } from './create-hold.ts';
import { createReversal } from './create-reversal.ts';
import { createTransaction } from './create-transaction.ts';
import { updateAccount } from './update-account.ts';
import { voidHold } from './void-hold.ts';

const world = {
  ...openInstance('ledger/api'),
  db: openDb({ tables: tables('control', 'ledger', 'statements', 'outbox', 'meters') }),
  secrets: openSecrets(secrets('admin-key')),
};

const routes = [
  ...[createAccount, updateAccount, createTransaction, createBatch, createReversal],
  ...[createHold, captureHold, voidHold],
];

export const handler = metered(world, api(world, routes, authenticator()));
