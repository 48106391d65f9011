import { auditRoutes } from '../audit/contract.ts';
import { docsRoutes } from '../docs/contract.ts';
import { eventRoutes } from '../events/contract.ts';
import { fileRoutes } from '../files/contract.ts';
import { inboxRoutes } from '../inbox/contract.ts';
import { ledgerRoutes } from '../ledger/contract.ts';
import type { Contract } from '../shared/http/route.ts';
import { taskRoutes } from '../tasks/contract.ts';
import { tenantRoutes } from '../tenants/contract.ts';
import { webhookRoutes } from '../webhooks/contract.ts';
import { adminRoutes, operationsRoutes } from './contract.ts';

/** Every route of the API, from the route tables of the rooms. */
export const allRoutes: readonly Contract[] = [
  ...tenantRoutes,
  ...eventRoutes,
  ...webhookRoutes,
  ...ledgerRoutes,
  ...fileRoutes,
  ...taskRoutes,
  ...inboxRoutes,
  ...auditRoutes,
  ...docsRoutes,
  ...operationsRoutes,
  ...adminRoutes,
];
