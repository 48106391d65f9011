import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runTaskSoak, TASK_KILLS, type TaskDeath } from '../soak/cloud-tasks.ts';
import { type KillableCloud, startKillableCloud } from '../soak/killable-cloud.ts';
import { newStateDir } from '../support/state-dir.ts';

let stateDir: string;
let cloud: KillableCloud<TaskDeath>;
beforeAll(async () => {
  stateDir = await newStateDir('tasks-crash');
  cloud = await startKillableCloud<TaskDeath>(stateDir, TASK_KILLS);
});
afterAll(async () => {
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

it('fires each task once, not early nor after its cancel, whatever dies at any step', async () => {
  const { violations, byState } = await runTaskSoak(cloud, {
    ...{ tasks: 200, seed: 1, withinMs: 10_000, settleMs: 120_000 },
    tell: () => undefined,
  });
  expect(violations).toEqual([]);
  expect(byState).toMatchObject({
    fired: expect.any(Number),
    failed: expect.any(Number),
    cancelled: expect.any(Number),
  });
});
