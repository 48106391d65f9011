import type { TestProject } from 'vitest/node';
import type { SharedCloud } from '../support/cloud-setup.ts';

/** The variable that tells the journeys where the deployed stack is; no option is called so. */
export const DEPLOYED = 'DEPLOYED_STACK';

/** Gives the journeys what `test/support/cloud-setup.ts` gives them elsewhere. */
export default function setup(project: TestProject): void {
  const deployed = process.env[DEPLOYED];
  if (deployed === undefined) throw new Error('`npm run test:cloud` runs these');
  project.provide('cloud', JSON.parse(deployed) as SharedCloud);
}
