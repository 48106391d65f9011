import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { newStateDir } from '../support/state-dir.ts';
import { outcomesOf } from './bank-audit.ts';
import { type CloudBankResult, runCloudBank } from './cloud-bank.ts';
import { FILE_KILLS, filePhases, runFileSoak } from './cloud-files.ts';
import { INBOX_KILLS, type InboxDeath, runInboxSoak } from './cloud-inbox.ts';
import { runTaskSoak, TASK_KILLS, type TaskDeath } from './cloud-tasks.ts';
import { IMPATIENT, runWebhookSoak, startWebhookCloud } from './cloud-webhooks.ts';
import type { KillRecord } from './kill-points.ts';
import { type KillableCloud, startKillableCloud } from './killable-cloud.ts';

/**
 * Each on a local cloud of its own, whose functions are killed. Exits with 1 on any violation.
 *
 *   npm run soak -- ledger --seconds 600 --clients 10 --seed 1
 *   npm run soak -- webhooks --events 500000 --seed 1 --trouble 20
 *   npm run soak -- files --rows 5000000
 *   npm run soak -- tasks --tasks 100000 --seed 1
 *   npm run soak -- inbox --webhooks 20000 --seed 1
 *
 * The first is a bank whose clients hang up. The second has receivers that are slow, busy, broken
 * or dead; every four seconds, or as often as `--trouble` says, workers are killed or all queues
 * are purged, and most of its time goes into what that takes. The third kills the workers of files
 * at each of their steps; with 200,000 rows it takes some minutes. The fourth fires tasks, moves
 * and cancels some of them close to their time, and kills their workers at each step. The fifth
 * takes in webhooks, many of them in copies, and kills what takes them in and what sends them on
 * at each step.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '10' },
    events: { type: 'string', default: '5000' },
    trouble: { type: 'string', default: '4' },
    rows: { type: 'string', default: '5000000' },
    tasks: { type: 'string', default: '5000' },
    webhooks: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
  },
});
/** So many violations are enough to begin with. */
const SHOWN_MAX = 40;

const numberOf = (name: keyof typeof values): number => {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${name} is a positive integer`);
};

const SOAKS: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  ledger: () => onCloud((stateDir) => startLocalCloud({ stateDir }), soakLedger),
  webhooks: () => {
    Object.assign(process.env, IMPATIENT);
    return onCloud(startWebhookCloud, soakWebhooks);
  },
  files: () => onCloud((dir) => startKillableCloud<KillRecord>(dir, FILE_KILLS), soakFiles),
  tasks: () => onCloud((dir) => startKillableCloud<TaskDeath>(dir, TASK_KILLS), soakTasks),
  inbox: () => onCloud((dir) => startKillableCloud<InboxDeath>(dir, INBOX_KILLS), soakInbox),
};

const soak = SOAKS[positionals.join()];
if (!soak) throw new Error(`say which room: npm run soak -- ${Object.keys(SOAKS).join(' | ')}`);
const violations = await soak();
for (const violation of violations.slice(0, SHOWN_MAX)) console.log(violation);
console.log(`violations ${violations.length}`);
process.exitCode = violations.length === 0 ? 0 : 1;

/** On a cloud of its own, which is removed afterwards. */
async function onCloud<Cloud extends LocalCloud>(
  start: (stateDir: string) => Promise<Cloud>,
  work: (cloud: Cloud, stateDir: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const stateDir = await newStateDir('soak');
  let cloud: Cloud | undefined;
  try {
    cloud = await start(stateDir);
    return await work(cloud, stateDir);
  } finally {
    await cloud?.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
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

async function soakWebhooks(cloud: LocalCloud, stateDir: string): Promise<readonly string[]> {
  const { violations, ...figures } = await runWebhookSoak(cloud, {
    ...{ events: numberOf('events'), seed: numberOf('seed'), stateDir },
    troubleEveryMs: numberOf('trouble') * 1_000,
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

async function soakFiles(cloud: KillableCloud<KillRecord>): Promise<readonly string[]> {
  const rows = numberOf('rows');
  const { violations, kills, ...figures } = await runFileSoak(cloud, {
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

async function soakTasks(cloud: KillableCloud<TaskDeath>): Promise<readonly string[]> {
  const tasks = numberOf('tasks');
  const { violations, deaths, ...figures } = await runTaskSoak(cloud, {
    ...{ tasks, seed: numberOf('seed'), withinMs: 60_000, laterMs: 240_000 },
    ...{ againAfterMs: 20_000, settleMs: 480_000 },
    tell,
  });
  const bySteps = Map.groupBy(deaths, ({ step }) => step);
  for (const [step, of] of bySteps) console.log(`${String(of.length).padStart(5)} died at ${step}`);
  for (const [name, value] of Object.entries(figures)) {
    console.log(`${name.padEnd(12)} ${JSON.stringify(value)}`);
  }
  return violations;
}

async function soakInbox(cloud: KillableCloud<InboxDeath>): Promise<readonly string[]> {
  const { violations, deaths, ...figures } = await runInboxSoak(cloud, {
    ...{ webhooks: numberOf('webhooks'), seed: numberOf('seed'), againAfterMs: 20_000 },
    settleMs: 240_000,
    tell,
  });
  const bySteps = Map.groupBy(deaths, ({ step }) => step);
  for (const [step, of] of bySteps) console.log(`${String(of.length).padStart(5)} died at ${step}`);
  for (const [name, value] of Object.entries(figures)) {
    console.log(`${name.padEnd(12)} ${JSON.stringify(value)}`);
  }
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
