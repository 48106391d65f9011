import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { allRoutes } from '../../functions/operations/all-routes.ts';
import type { TableName } from '../../functions/shared/world.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type CampaignResult, runCampaign, startSink } from '../support/fuzz/campaign.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { SNAPSHOT_TABLES, takeSnapshot } from '../support/invariants/snapshot.ts';
import { newStateDir } from '../support/state-dir.ts';

/**
 * `npm run fuzz -- --requests 100000 --seed 7`: requests made from the contracts, against a local
 * cloud of its own. Each kind of fault is told with the command that shows it again.
 */
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
  },
});
const plan = { requests: Number(values.requests), seed: Number(values.seed) };
if (!Object.values(plan).every((it) => Number.isSafeInteger(it) && it > 0)) {
  throw new Error('--requests and --seed are positive integers');
}

const stateDir = await newStateDir('fuzz');
const sink = await startSink();
const cloud = await startLocalCloud({ stateDir });
try {
  const { apiUrl, adminKey } = cloud;
  const startMs = Date.now();
  const target = { apiUrl, adminKey, receiverUrl: sink.url, contracts: allRoutes };
  const result = await runCampaign(target, plan);
  const faults = [...result.findings, ...(await ledgerFaults(cloud))];
  report(result, (Date.now() - startMs) / 1_000);
  console.log(faults.length === 0 ? 'no fault found' : faults.join('\n\n'));
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  sink.close();
  await cloud.stop();
  await rm(stateDir, { recursive: true, force: true });
}

function report({ requests, counts, unreached }: CampaignResult, seconds: number): void {
  const perStatus = new Map<string, number>();
  for (const [name, count] of counts) {
    const key = name.split(' ').slice(2).join(' ');
    perStatus.set(key, (perStatus.get(key) ?? 0) + count);
  }
  for (const [key, count] of [...perStatus].sort()) {
    console.log(`${String(count).padStart(8)}  ${key}`);
  }
  console.log(`${requests} requests to ${allRoutes.length} routes in ${seconds.toFixed(1)} s`);
  if (unreached.length > 0) console.log(`never 2xx for a valid request: ${unreached.join(', ')}`);
}

async function ledgerFaults({ endpoints, table }: LocalCloud): Promise<string[]> {
  const client = new DynamoDBClient({
    endpoint: endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const tables = Object.fromEntries(SNAPSHOT_TABLES.map((it) => [it, table(it)]));
  return checkLedger(await takeSnapshot(client, tables as Readonly<Record<TableName, string>>));
}
