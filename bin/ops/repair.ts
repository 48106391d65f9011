import { repairLedger } from '../../functions/audit/repair-ledger.ts';
import { repairDue, type TableRepair } from '../../functions/operations/repair-due.ts';
import { repairFiles } from '../../functions/operations/repair-files.ts';
import { repairInbox } from '../../functions/operations/repair-inbox.ts';
import { findOrphans, repairWatches } from '../../functions/operations/repair-outbox.ts';
import { repairTasks } from '../../functions/operations/repair-tasks.ts';
import { systemClock, systemIds } from '../../functions/shared/system.ts';
import type { Log } from '../../functions/shared/world.ts';
import { SWEPT_TABLES } from '../../functions/timers/due-table.ts';
import { STACK_TABLES } from '../stack-resources.ts';
import { chosenTenants } from './chosen-tenants.ts';
import { type Desk, type Given, type Outcome, Refusal } from './command.ts';
import { openReport } from './repair-report.ts';
import { tableScan } from './scan-tables.ts';

/** The report tells what is done: lines for CloudWatch would only stand between. */
const NO_LOG: Log = { info: () => {}, warn: () => {}, error: () => {} };

/**
 * A repair is for restored tables: nobody gets to those in use by forgetting a name, or by what a
 * shell has kept in its environment since a restore. Nor by a dry run: it reads the journal minutes
 * before the accounts, so that whatever moves in between is told as lost.
 */
function checkPlace(given: Given, { print }: Pick<Desk, 'print'>): void {
  if (given.text('restored') !== undefined) return;
  if (!given.has('live')) {
    throw new Refusal('say which tables: --restored NAME, or --live for those in use');
  }
  print(
    'The tables are in use. What moves meanwhile looks lost: believe it when all stands still.',
  );
}

/** `audit --repair`: after a restore, everything that follows from the journal as it says. */
export async function repair(given: Given, desk: Desk): Promise<Outcome> {
  checkPlace(given, desk);
  const { at, note } = desk;
  const report = openReport(given.has('dry-run'), desk);
  const db = await at.db(...STACK_TABLES);
  const world = { clock: systemClock, ids: systemIds, db, log: NO_LOG };
  const tenant = given.text('tenant');
  const onUnlisted = (tenantId: string) =>
    note(`${tenantId} is not listed as a tenant, and is repaired all the same`);
  for await (const tenantId of chosenTenants(db, tenant, onUnlisted)) {
    note(`${tenantId} …`);
    await repairLedger(world, tenantId, report);
  }
  // What follows is of all tenants: their rows lie side by side.
  if (tenant !== undefined) return report.end();
  const tables: TableRepair = {
    ...report,
    scan: await tableScan(at, STACK_TABLES),
  };
  note('tasks, webhooks, deliveries, files, due, watches …');
  await repairTasks(world, tables);
  await repairInbox(world, tables);
  await findOrphans(world, tables);
  await repairFiles(world, tables);
  for (const table of SWEPT_TABLES) await repairDue(world, table, tables);
  await repairWatches(world, tables);
  return report.end();
}
