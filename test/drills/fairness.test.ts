import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { quietBesideNoisy } from '../support/noisy-neighbour.ts';
import { newStateDir } from '../support/state-dir.ts';

// On a machine that can bear no instance but the first of each function.
let stateDir: string;
let cloud: LocalCloud;
beforeAll(async () => {
  stateDir = await newStateDir('fairness');
  cloud = await startLocalCloud({ stateDir, instancesMax: 1 });
});
afterAll(async () => {
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

it('has instances for those who wait for nobody, however many wait for a receiver', async () => {
  expect(await quietBesideNoisy(cloud)).toBeLessThan(15_000);
});
