import { letShow } from '../ledger/read-whole.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { auditKey, findAudit, insertAudit } from './audit.store.ts';
import { type Audit, openAudit } from './audit.ts';
import { auditMessage } from './audit-message.ts';
import { auditView } from './audit-view.ts';
import { createAuditRoute } from './contract.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** POST /v1/audit. Refuses with `conflict` while another audit of the tenant is running. */
export const createAudit = route(createAuditRoute, async (call, world: Needs) => {
  const { tenantId, idempotency } = call;
  const nowMs = world.clock.nowMs();
  const id = creationId('aud', { tenantId, scope: 'audits', idempotency }, world.ids);
  const audit = openAudit({ id, tenantId, fingerprint: idempotency?.fingerprint }, nowMs);
  if ((await insert(audit, world)) === 'taken') return replay(call, id, world);
  try {
    await world.queues.send('audits', [auditMessage(auditKey(tenantId, id), audit.step)]);
  } catch (error) {
    // Its `due` is in the table already.
    world.log.warn('message.lost', { queue: 'audits', error });
  }
  return { body: auditView(audit) };
});

/**
 * A restore may have left it said that an audit is running which has ended, or was never begun:
 * nobody would ever take that back. Throws `Problem('conflict')` while one does run.
 */
async function insert(audit: Audit, world: Needs): Promise<'inserted' | 'taken'> {
  const nowMs = world.clock.nowMs();
  let over: string | undefined;
  for (;;) {
    const commit = await commitDespiteConflicts(world, insertAudit(audit, nowMs, over));
    if (commit.ok) return 'inserted';
    const [taken, running] = commit.reasons;
    if (taken?.code === 'condition') return 'taken';
    const named = String(running?.item?.audit);
    const other = await findNamed(world, audit.tenantId, named);
    if (named === over || other?.status === 'running') {
      throw new Problem('conflict', {
        detail: `${named} is running. Wait for its end: there is one at a time.`,
      });
    }
    over = named;
  }
}

/** Its marker may show before it does: only what is not there a moment later either is not. */
async function findNamed(world: Needs, tenantId: string, auditId: string) {
  const found = await findAudit(world.db, tenantId, auditId);
  if (found) return found;
  await letShow(world);
  return findAudit(world.db, tenantId, auditId);
}

async function replay(
  { tenantId, idempotency }: Call<typeof createAuditRoute>,
  auditId: string,
  { db }: Needs,
) {
  const audit = await findAudit(db, tenantId, auditId);
  if (!audit) throw new Error(`audit ${auditId} was taken, but is not there`);
  assertSameRequest(audit, idempotency);
  return { body: auditView(audit), replayed: true };
}
