import { eventRoutes } from '../events/contract.ts';
import { ledgerRoutes } from '../ledger/contract.ts';
import type { Contract } from '../shared/http/route.ts';
import { tenantRoutes } from '../tenants/contract.ts';
import { operationsRoutes } from './contract.ts';

/** Every route of the API, from the route tables of the rooms. */
export const allRoutes: readonly Contract[] = [
  ...tenantRoutes,
  ...eventRoutes,
  ...ledgerRoutes,
  ...operationsRoutes,
];
