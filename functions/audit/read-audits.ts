import { route } from '../shared/http/route.ts';
import { readPage } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { auditsOf, findAudit, loadAudits } from './audit.store.ts';
import { auditView } from './audit-view.ts';
import { getAuditRoute, listAuditsRoute } from './contract.ts';

/** GET /v1/audit/{id}: strongly consistent. */
export const getAudit = route(
  getAuditRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const audit = await findAudit(db, tenantId, params.id);
    if (!audit) throw new Problem('not_found');
    return { body: auditView(audit) };
  },
);

/** GET /v1/audit: which ones is up to a second old, what they are is not. */
export const listAudits = route(
  listAuditsRoute,
  async ({ tenantId, query }, world: Pick<World, 'db' | 'secrets'>) => {
    const list = await readPage(
      world,
      { table: 'control', index: 'listing', pk: auditsOf(tenantId), newestFirst: true },
      { ...query, boundTo: [tenantId, 'audits'] },
    );
    const audits = await loadAudits(world.db, list.items);
    const { nextCursor } = list;
    return { body: { data: audits.map(auditView), nextCursor, hasMore: nextCursor !== undefined } };
  },
);
