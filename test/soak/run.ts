import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { newStateDir } from '../support/state-dir.ts';
import { outcomesOf } from './bank-audit.ts';
import { type CloudBankResult, runCloudBank } from './cloud-bank.ts';
import { filePhases, runFileSoak } from './cloud-files.ts';
import { IMPATIENT, runWebhookSoak } from './cloud-webhooks.ts';
import { type KillableCloud, startKillableCloud } from './killable-cloud.ts';

/**
 * Each on a local cloud of its own, whose functions are killed. Exits with 1 on any violation.
 *
 *   npm run soak -- ledger --seconds 600 --clients 10 --seed 1
 *   npm run soak -- webhooks --events 500000 --seed 1
 *   npm run soak -- files --rows 5000000
 *
 * The first is a bank whose clients hang up. The second has receivers that are slow, busy, broken
 * or dead, and queues that are purged. The third kills the workers of files at each of their
 * steps; with 200,000 rows it takes some minutes.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '10' },
    events: { type: 'string', default: '5000' },
    rows: { type: 'string', default: '5000000' },
    seed: { type: 'string', default: '1' },
  },
});
/** So many violations are enough to begin with. */
const SHOWN_MAX = 40;

const numberOf = (name: 'seconds' | 'clients' | 'events' | 'rows' | 'seed'): number => {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${name} is a positive integer`);
};

const SOAKS: Readonly<Record<string, (cloud: LocalCloud) => Promise<readonly string[]>>> = {
  ledger: soakLedger,
  webhooks: soakWebhooks,
  files: soakFiles,
};

const soak = SOAKS[positionals.join()];
if (!soak) throw new Error(`say which room: npm run soak -- ${Object.keys(SOAKS).join(' | ')}`);
if (soak === soakWebhooks) Object.assign(process.env, IMPATIENT);
const stateDir = await newStateDir('soak');
let cloud: LocalCloud | undefined;
let killable: KillableCloud | undefined;
try {
  if (soak === soakFiles) killable = await startKillableCloud(stateDir);
  cloud = killable ?? (await startLocalCloud({ stateDir }));
  const violations = await soak(cloud);
  for (const violation of violations.slice(0, SHOWN_MAX)) console.log(violation);
  console.log(`violations ${violations.length}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  await cloud?.stop();
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
    tell,
  });
  for (const [name, value] of Object.entries(figures)) {
    console.log(`${name.padEnd(12)} ${JSON.stringify(value)}`);
  }
  const perSecond = figures.deliveries / figures.loadSeconds;
  console.log(`${perSecond.toFixed(1)} deliveries a second`);
  return violations;
}

async function soakFiles(cloud: LocalCloud): Promise<readonly string[]> {
  const rows = numberOf('rows');
  const { violations, kills, ...figures } = await runFileSoak(cloud as KillableCloud, {
    phases: filePhases(rows),
    together: 4,
    // A short one kills once at each step.
    ...(rows >= 1_000_000 && { againAfterMs: 20_000 }),
    limitMs: 600_000 + 10 * rows,
    tell,
  });
  for (const { step, fileId, healedMs } of kills) {
    tell(`killed ${step} of ${fileId}, healed after ${(healedMs / 1_000).toFixed(1)} s`);
  }
  for (const [name, value] of Object.entries(figures)) {
    console.log(`${name.padEnd(12)} ${JSON.stringify(value)}`);
  }
  console.log(`${(figures.users / figures.seconds).toFixed(1)} alerts a second, healing included`);
  return violations;
}

function tell(line: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);
}

function report({ day, killed }: Omit<CloudBankResult, 'violations'>, duration: number): void {
  for (const [name, count] of outcomesOf(day)) console.log(`${String(count).padStart(8)}  ${name}`);
  const operations = day.settled.length;
  console.log(`${operations} operations, ${(operations / duration).toFixed(1)} a second`);
  console.log(
    `${day.unknown} unknown outcomes, ${day.replays} replays, ${killed} processes killed`,
  );
}
