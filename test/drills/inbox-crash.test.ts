import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { INBOX_KILLS, type InboxDeath, runInboxSoak } from '../soak/cloud-inbox.ts';
import { type KillableCloud, startKillableCloud } from '../soak/killable-cloud.ts';
import { newStateDir } from '../support/state-dir.ts';

let stateDir: string;
let cloud: KillableCloud<InboxDeath>;
beforeAll(async () => {
  stateDir = await newStateDir('inbox-crash');
  cloud = await startKillableCloud<InboxDeath>(stateDir, INBOX_KILLS);
});
afterAll(async () => {
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

it('loses no webhook that was answered, and doubles none, whatever dies at any step', async () => {
  const { violations } = await runInboxSoak(cloud, {
    ...{ webhooks: 300, seed: 1, settleMs: 200_000 },
    tell: () => undefined,
  });
  expect(violations).toEqual([]);
});
