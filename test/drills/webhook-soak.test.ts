import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { LocalCloud } from '../../local/local-cloud.ts';
import { IMPATIENT, runWebhookSoak, startWebhookCloud } from '../soak/cloud-webhooks.ts';
import { newStateDir } from '../support/state-dir.ts';

/** `npm run soak -- webhooks --events 500000` is the long one. */
const EVENTS = 5_000;
const SETTLE_MS = 180_000;
/** A limit against hanging: a busy machine may need long. */
const TEST_MS = 900_000;

let stateDir: string;
let cloud: LocalCloud;
beforeAll(async () => {
  for (const [name, value] of Object.entries(IMPATIENT)) vi.stubEnv(name, value);
  stateDir = await newStateDir('webhook-soak');
  cloud = await startWebhookCloud(stateDir);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

it(
  'delivers each event once to whoever wants it, whatever receivers do and whoever is killed',
  async () => {
    const soak = await runWebhookSoak(cloud, {
      ...{ events: EVENTS, seed: 1, stateDir },
      troubleEveryMs: 2_000,
      settleMs: SETTLE_MS,
      tell: () => undefined,
    });

    expect(soak.violations.slice(0, 20)).toEqual([]);
    expect(soak.killed).toBeGreaterThan(0);
    expect(soak.byStatus.delivered).toBeGreaterThan(EVENTS);
  },
  TEST_MS,
);
