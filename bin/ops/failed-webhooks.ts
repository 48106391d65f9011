import { LISTING_SHARDS, receiptListing } from '../../functions/inbox/receipt.store.ts';
import { sortableMs } from '../../functions/shared/sortable.ts';
import { DAY_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { listTenants } from '../stack-resources.ts';
import type { Symptom } from './symptom.ts';

/** Four empty queries for each of them, of half a unit. */
const TENANTS_MAX = 500;
/** Whoever has left them alone for a week has decided so. */
const LOOK_BACK_MS = 7 * DAY_MS;
const COUNTED_MAX = 100;

/** Webhooks of others that came within a week, and that no attempt could send on. */
export async function askFailedWebhooks(
  db: Pick<Db, 'query'>,
  nowMs: number,
): Promise<readonly Symptom[]> {
  const about = 'received webhooks';
  let [tenants, failed] = [0, 0];
  const whose: string[] = [];
  for await (const tenantId of listTenants(db)) {
    if (tenants === TENANTS_MAX) break;
    tenants += 1;
    const count = await countFailed(db, tenantId, nowMs);
    failed += count;
    if (count > 0) whose.push(tenantId);
  }
  const looked = tenants === TENANTS_MAX ? `, of the first ${TENANTS_MAX} tenants` : '';
  if (failed === 0) return [{ about, seen: `none has failed in a week${looked}` }];
  const seen = `${failed} have failed in a week${looked}, of ${whose.slice(0, 3).join(', ')}`;
  return [{ about, seen, advice: '"Received webhooks have failed": mend the cause, then replay.' }];
}

async function countFailed(db: Pick<Db, 'query'>, tenantId: string, nowMs: number) {
  const sk = { from: sortableMs(nowMs - LOOK_BACK_MS), to: '~' };
  const shards = Array.from({ length: LISTING_SHARDS }, async (_, shard) => {
    const pk = receiptListing(tenantId, 'failed', shard);
    const look = { table: 'inbox', index: 'listing', pk, sk, limit: COUNTED_MAX } as const;
    return (await db.query(look)).items.length;
  });
  return (await Promise.all(shards)).reduce((sum, it) => sum + it, 0);
}
