import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startLocalCloud } from '../../local/local-cloud.ts';
import { newStateDir } from '../support/state-dir.ts';
import { outcomesOf } from './bank-audit.ts';
import { type CloudBankResult, runCloudBank } from './cloud-bank.ts';

/**
 * `npm run soak -- ledger --seconds 600 --clients 10 --seed 1`: a bank on a local cloud of its
 * own, whose clients hang up and whose functions are killed. Exits with 1 on any violation.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const [seconds, clients, seed] = [values.seconds, values.clients, values.seed].map(Number);
if (positionals.join() !== 'ledger') throw new Error('say which room: npm run soak -- ledger');
if (![seconds, clients, seed].every((it) => Number.isSafeInteger(it) && Number(it) > 0)) {
  throw new Error('--seconds, --clients and --seed are positive integers');
}

const stateDir = await newStateDir('soak');
const cloud = await startLocalCloud({ stateDir });
try {
  const result = await runCloudBank(cloud, {
    ...{ seconds: seconds ?? 0, clients: clients ?? 0, seed: seed ?? 0 },
    victims: ['ledger/api', 'ledger/on-posted', 'ledger/on-hold'],
    killEveryMs: 4_000,
    // A message whose worker was killed comes again after six times its timeout.
    settleMs: 240_000,
  });
  report(result, seconds ?? 0);
  process.exitCode = result.violations.length === 0 ? 0 : 1;
} finally {
  await cloud.stop();
  await rm(stateDir, { recursive: true, force: true });
}

function report({ day, killed, violations }: CloudBankResult, duration: number): void {
  for (const [name, count] of outcomesOf(day)) console.log(`${String(count).padStart(8)}  ${name}`);
  const operations = day.settled.length;
  console.log(`${operations} operations, ${(operations / duration).toFixed(1)} a second`);
  console.log(
    `${day.unknown} unknown outcomes, ${day.replays} replays, ${killed} processes killed`,
  );
  for (const violation of violations) console.log(violation);
  console.log(`violations ${violations.length}`);
}
