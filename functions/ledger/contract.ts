import {
  createAccountRoute,
  getAccountRoute,
  listAccountsRoute,
  updateAccountRoute,
} from './account.contract.ts';
import {
  captureHoldRoute,
  createHoldRoute,
  getHoldRoute,
  listHoldsRoute,
  voidHoldRoute,
} from './hold.contract.ts';
import { listEntriesRoute } from './statement.contract.ts';
import {
  createBatchRoute,
  createReversalRoute,
  createTransactionRoute,
  getTransactionRoute,
  listTransactionsRoute,
} from './transaction.contract.ts';

export const ledgerRoutes = [
  createAccountRoute,
  listAccountsRoute,
  getAccountRoute,
  updateAccountRoute,
  listEntriesRoute,
  createTransactionRoute,
  createBatchRoute,
  createReversalRoute,
  listTransactionsRoute,
  getTransactionRoute,
  createHoldRoute,
  captureHoldRoute,
  voidHoldRoute,
  listHoldsRoute,
  getHoldRoute,
];

/** The same by the function that answers them: one that only reads has no right to write. */
export const ledgerRoutesOf = {
  'ledger/api': ledgerRoutes.filter((it) => it.method !== 'GET'),
  'ledger/read-api': ledgerRoutes.filter((it) => it.method === 'GET'),
};
