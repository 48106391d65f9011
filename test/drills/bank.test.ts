import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { outcomesOf } from '../soak/bank-audit.ts';
import { runCloudBank } from '../soak/cloud-bank.ts';
import { newStateDir } from '../support/state-dir.ts';

const SECONDS = 8;
/** Longer than the minute after which a hold is found whose message was lost with its worker. */
const SETTLE_MS = 240_000;

let stateDir: string;
let cloud: LocalCloud;
beforeAll(async () => {
  stateDir = await newStateDir('bank');
  cloud = await startLocalCloud({ stateDir });
});
afterAll(async () => {
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

it('keeps its books while clients hang up and the ledger is killed over and over', async () => {
  const plan = { clients: 10, seed: 7, seconds: SECONDS, victims: ['ledger/api'] };
  const result = await runCloudBank(cloud, { ...plan, killEveryMs: 1_500, settleMs: SETTLE_MS });

  expect(result.violations).toEqual([]);
  expect(result.killed).toBeGreaterThan(0);
  expect(result.day.unknown).toBeGreaterThan(0);
  // A slow machine gets to few operations: which ones they are is left open.
  expect([...outcomesOf(result.day).keys()].join('\n')).toMatch(/ 201$/m);
});
