import { rebuildStatements } from '../ledger/rebuild-statements.ts';
import type { World } from '../shared/world.ts';
import { findAllFaults } from './find-all-faults.ts';
import { Entries, repairBalances } from './repair-balances.ts';
import { repairLines, repairLinesOfWorld } from './repair-lines.ts';
import type { Repair } from './repair-one.ts';
import { repairRecords } from './repair-records.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/**
 * After a restore that has torn transactions apart: makes everything of a tenant's ledger that
 * follows from its journal what the journal says, and tells by name what is lost. Nothing is
 * guessed, and no record of the journal is changed but for the end of its hold. It goes page by
 * page, each repair is a commit of its own, and what is right is left alone: so it may be stopped
 * and run again. Nobody else may be writing.
 */
export async function repairLedger(world: Needs, tenantId: string, repair: Repair): Promise<void> {
  const entries = new Entries();
  for await (const records of repairRecords(world, tenantId, repair)) {
    await entries.add(world, tenantId, { records, repair });
  }
  const currencies = new Set<string>();
  for await (const accounts of repairBalances(world, tenantId, { entries, repair })) {
    for (const { currency } of accounts) currencies.add(currency);
    await repairLines(world, accounts, repair);
  }
  await repairLinesOfWorld(world, { tenantId, currencies }, repair);
  const { missing, different, wrongTotals } = await rebuildStatements(world, tenantId, {
    dryRun: repair.dryRun,
    onUnreadable: repair.lost,
  });
  if (missing > 0) repair.mended('missing line', tenantId, missing);
  if (different > 0) repair.mended('different line', tenantId, different);
  if (wrongTotals > 0) repair.mended('wrong total', tenantId, wrongTotals);
  if (repair.dryRun) return;
  for await (const findings of findAllFaults(world, tenantId)) {
    for (const { id, invariant, detail } of findings) {
      repair.lost({ id, detail: `${invariant}: ${detail}` });
    }
  }
}
