import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { newStateDir } from '../support/state-dir.ts';
import { outcomesOf } from './bank-audit.ts';
import { type CloudBankResult, runCloudBank } from './cloud-bank.ts';
import { IMPATIENT, runWebhookSoak } from './cloud-webhooks.ts';

/**
 * Each on a local cloud of its own, whose functions are killed. Exits with 1 on any violation.
 *
 *   npm run soak -- ledger --seconds 600 --clients 10 --seed 1
 *   npm run soak -- webhooks --events 500000 --seed 1
 *
 * The first is a bank whose clients hang up. The second has receivers that are slow, busy, broken
 * or dead, and queues that are purged.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '10' },
    events: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
  },
});
/** So many violations are enough to begin with. */
const SHOWN_MAX = 40;

const numberOf = (name: 'seconds' | 'clients' | 'events' | 'seed'): number => {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${name} is a positive integer`);
};

const SOAKS: Readonly<Record<string, (cloud: LocalCloud) => Promise<readonly string[]>>> = {
  ledger: soakLedger,
  webhooks: soakWebhooks,
};

const soak = SOAKS[positionals.join()];
if (!soak) throw new Error(`say which room: npm run soak -- ${Object.keys(SOAKS).join(' | ')}`);
if (soak === soakWebhooks) Object.assign(process.env, IMPATIENT);
const stateDir = await newStateDir('soak');
const cloud = await startLocalCloud({ stateDir });
try {
  const violations = await soak(cloud);
  for (const violation of violations.slice(0, SHOWN_MAX)) console.log(violation);
  console.log(`violations ${violations.length}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  await cloud.stop();
  await rm(stateDir, { recursive: true, force: true });
}

async function soakLedger(cloud: LocalCloud): Promise<readonly string[]> {
  const seconds = numberOf('seconds');
  const result = await runCloudBank(cloud, {
    ...{ seconds, clients: numberOf('clients'), seed: numberOf('seed') },
    victims: ['ledger/api', 'ledger/on-posted', 'ledger/on-hold'],
    killEveryMs: 4_000,
    // A message whose worker was killed comes again after six times its timeout.
    settleMs: 240_000,
  });
  report(result, seconds);
  return result.violations;
}

async function soakWebhooks(cloud: LocalCloud): Promise<readonly string[]> {
  const { violations, ...figures } = await runWebhookSoak(cloud, {
    ...{ events: numberOf('events'), seed: numberOf('seed') },
    troubleEveryMs: 4_000,
    settleMs: 240_000,
    tell: (line) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`),
  });
  for (const [name, value] of Object.entries(figures)) {
    console.log(`${name.padEnd(12)} ${JSON.stringify(value)}`);
  }
  const perSecond = figures.deliveries / figures.loadSeconds;
  console.log(`${perSecond.toFixed(1)} deliveries a second`);
  return violations;
}

function report({ day, killed }: Omit<CloudBankResult, 'violations'>, duration: number): void {
  for (const [name, count] of outcomesOf(day)) console.log(`${String(count).padStart(8)}  ${name}`);
  const operations = day.settled.length;
  console.log(`${operations} operations, ${(operations / duration).toFixed(1)} a second`);
  console.log(
    `${day.unknown} unknown outcomes, ${day.replays} replays, ${killed} processes killed`,
  );
}
