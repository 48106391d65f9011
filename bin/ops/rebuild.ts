import { type Rebuilt, rebuildStatements } from '../../functions/ledger/rebuild-statements.ts';
import { systemClock, systemIds } from '../../functions/shared/system.ts';
import { chosenTenants } from './chosen-tenants.ts';
import { type Command, type Desk, type Given, type Outcome, Refusal } from './command.ts';
import { rebuildDue } from './rebuild-due.ts';

const LINES_PER_NOTE = 10_000;

/** Makes anew what follows from something else that is stored. */
export const rebuild: Command = {
  name: 'rebuild',
  form: 'statements|due',
  help: [
    '--tenant ID      statements of one tenant; else of all, one after the other',
    'statements: the lines and totals of accounts, from the journal.',
    'due: what is unfinished and was given up by the sweeper is filed again, and sent within five',
    'minutes. It reads all tables but statements and the outbox.',
    'Both are safe at any time and any number of times.',
    'TABLE_CONTROL, TABLE_LEDGER and so on name the tables, where the stack does not.',
  ],
  flags: { tenant: 'string' },
  wordsMax: 1,
  async run(given, desk) {
    const [what] = given.words;
    if (what === 'due') return rebuildDue(given, desk);
    if (what !== 'statements') throw new Refusal('say what to rebuild: statements or due');
    return rebuildLedger(given, desk);
  },
};

async function rebuildLedger(given: Given, { at, print, note }: Desk): Promise<Outcome> {
  const dryRun = given.has('dry-run');
  const tenant = given.text('tenant');
  const db = await at.db('control', 'ledger', 'statements');
  const world = { clock: systemClock, ids: systemIds, db };
  let [busy, unreadable] = [0, 0];
  for await (const tenantId of chosenTenants(db, tenant)) {
    let notes = 0;
    const found = await rebuildStatements(world, tenantId, {
      dryRun,
      onPage: ({ lines }) => {
        if (lines < LINES_PER_NOTE * (notes + 1)) return;
        notes += 1;
        note(`${tenantId} ${lines} lines …`);
      },
      onUnreadable: ({ id, detail }) => print(`${tenantId} ${id}: ${detail}`),
    });
    busy += found.busyTotals;
    unreadable += found.unreadable;
    print(`${tenantId} ${inWords(found, dryRun)}`);
  }
  if (busy > 0) note('Some totals moved whenever they were read: see docs/runbook.md.');
  if (unreadable > 0) note(`${unreadable} cannot be read and were left: see docs/runbook.md.`);
  return busy + unreadable === 0 ? 'done' : 'person';
}

function inWords(found: Rebuilt, dryRun: boolean) {
  const { lines, missing, different, wrongTotals, busyTotals, unreadable } = found;
  const facts = [
    `${lines} lines`,
    `${missing} missing`,
    `${different} different`,
    `${wrongTotals} wrong totals`,
    ...(busyTotals > 0 ? [`${busyTotals} busy totals`] : []),
    ...(unreadable > 0 ? [`${unreadable} unreadable`] : []),
  ].join(', ');
  const isClean = missing + different + wrongTotals === 0;
  return `${facts}${isClean ? '' : dryRun ? ': nothing was changed' : ': put right'}`;
}
