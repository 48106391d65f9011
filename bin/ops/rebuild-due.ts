import { repairDue } from '../../functions/operations/repair-due.ts';
import { SWEPT_TABLES } from '../../functions/timers/due-table.ts';
import { type Desk, type Given, type Outcome, Refusal } from './command.ts';
import { openReport } from './repair-report.ts';
import { tableScan } from './scan-tables.ts';

/**
 * `rebuild due`: files again, under this minute, what is unfinished and was filed where the sweeper
 * does not look any more, because it has given it up. May run at any time, beside everything else:
 * what somebody files meanwhile is left alone.
 */
export async function rebuildDue(given: Given, desk: Desk): Promise<Outcome> {
  if (given.text('tenant') !== undefined) {
    throw new Refusal('due is of all tenants: their rows lie side by side');
  }
  const { at, note } = desk;
  const report = openReport(given.has('dry-run'), desk);
  const db = await at.db('control', ...SWEPT_TABLES);
  const scan = await tableScan(at, SWEPT_TABLES);
  const clock = { nowMs: () => desk.clock.nowMs(), sleep: desk.sleep };
  for (const table of SWEPT_TABLES) {
    note(`${table} …`);
    const mended = (_what: string, id: string) => report.mended(`filed again in ${table}`, id);
    await repairDue({ clock, db }, table, { ...report, scan, mended });
  }
  return report.end();
}
