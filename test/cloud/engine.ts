/**
 * `npm run test:engine [files]`: the tests of everything that reads or writes tables, on an engine
 * that others made. It is installed, started and stopped here; the tests of the run find it by
 * AWS_ENDPOINT_URL_DYNAMODB, as they would find any other.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { startMiniStack } from './ministack.ts';

const FILES = 'test/{shared/aws,events,files,ledger,tenants,timers,webhooks}/**/*.test.ts';

const FIGURES = 'it reports other capacity than DynamoDB';
const SLOW = 'it takes 100 times as long, and the test makes tens of thousands of calls';

/** Whole files that this engine cannot pass, and why. */
const FILES_LEFT_OUT: Readonly<Record<string, string>> = {
  'test/ledger/costs.test.ts': FIGURES,
  'test/webhooks/costs.test.ts': FIGURES,
  'test/ledger/bank.test.ts': SLOW,
  'test/ledger/bank-audit.test.ts': SLOW,
  'test/files/crash.test.ts': SLOW,
  'test/tenants/rate-limit-fleet.test.ts': SLOW,
  'test/webhooks/nothing-is-lost.test.ts': SLOW,
};

/** Tests that this engine cannot pass, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'writes accounts, journal and event of a transfer in one commit of 10 units': FIGURES,
  'costs two read units for a page of 25': FIGURES,
  'costs a unit per shard for its balance, and for a page of 25': FIGURES,
  'the engine adds and subtracts them exactly': 'it keeps 28 digits of a number, DynamoDB 38',
  'reads all of their totals at once': FIGURES,
  'reads the event, the endpoints and a row for each delivery': FIGURES,
  'costs a query of each shard, and the events': FIGURES,
  'costs two units for a transfer, and five for a credit with its total': FIGURES,
  'reads no event that is not wanted by its type': FIGURES,
  'reads no event of ours that the endpoint does not name: missing': FIGURES,
  'reads no event of ours that the endpoint does not name: pending': FIGURES,
  'stops no other, and is told of until its minute is a day old': SLOW,
  'of the outbox stops no other event, and keeps its minute open for a day': SLOW,
  'a file whose notices got lost is settled look by look, each within its time': SLOW,
};

const escaped = (name: string) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Runs the tests at this engine, and answers the exit code. */
async function runAt(url: string, files: readonly string[]): Promise<number> {
  const leftOut = Object.keys(LEFT_OUT).map(escaped).join('|');
  const args = [
    ...['run', '--project', 'rooms', ...files],
    ...['--testNamePattern', `^(?!.*(${leftOut})).*$`],
  ];
  const env = { ...process.env, AWS_ENDPOINT_URL_DYNAMODB: url };
  const child = spawn('vitest', args, { stdio: 'inherit', env });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

const asked = process.argv.slice(2);
const files = asked.length > 0 ? asked : globSync(FILES).filter((it) => !(it in FILES_LEFT_OUT));
const engine = await startMiniStack();
try {
  process.exitCode = await runAt(engine.url, files);
} finally {
  await engine.stop();
}
console.log('left out, because of the engine:');
for (const [what, why] of Object.entries({ ...FILES_LEFT_OUT, ...LEFT_OUT })) {
  console.log(`  ${what}: ${why}`);
}
