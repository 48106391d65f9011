import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { allRoutes } from '../../functions/operations/all-routes.ts';
import { snapshotOf } from '../support/cloud.ts';
import { type CampaignResult, runCampaign, startSink } from '../support/fuzz/campaign.ts';
import { checkLedger } from '../support/invariants/ledger.ts';

const REQUESTS = 2_000;
const SEED = 1;

/** A route that asks for a signature, or for a state that is rare, may stay out of reach. */
const UNREACHED_SHARE_MAX = 0.2;

let result: CampaignResult;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  sink = await startSink();
  const { apiUrl, adminKey } = inject('cloud');
  const target = { apiUrl, adminKey, receiverUrl: sink.url, contracts: allRoutes };
  result = await runCampaign(target, { requests: REQUESTS, seed: SEED });
});
afterAll(() => sink.close());

it(`keeps every promise of the contracts in ${REQUESTS} requests`, () => {
  expect(result.findings.join('\n\n')).toBe('');
  expect(result.requests).toBe(REQUESTS);
});

it('gets beyond the checks of the input on most routes', () => {
  const share = result.unreached.length / allRoutes.length;

  expect(share, `never reached: ${result.unreached.join(', ')}`).toBeLessThan(UNREACHED_SHARE_MAX);
});

it('leaves the books of all tenants whole', async () => {
  const snapshot = await snapshotOf(...result.tenantIds);

  expect(snapshot.ledger.length).toBeGreaterThan(0);
  expect(checkLedger(snapshot)).toEqual([]);
});
