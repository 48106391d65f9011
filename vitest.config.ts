import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Limits against hanging, not against slowness: a machine may be busy with other things. */
const limits = { testTimeout: 180_000, hookTimeout: 240_000 };

/**
 * Journeys wait for leases and ticks most of their time: begun first, they cost the least. Then
 * what takes a minute by itself, so that it is not what everybody waits for in the end.
 */
const RANKS = [
  /journeys.(crash|purge|webhook-soak)/,
  /journeys/,
  /(files.crash|rate-limit-fleet|audit.(take-step|planted-faults)|nothing-is-lost)/,
  /./,
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => RANKS.findIndex((it) => it.test(moduleId));
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // Two of them only wait, so that there are workers for both cores besides.
    maxWorkers: 4,
    projects: [
      {
        test: {
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: ['test/journeys/**'],
          globalSetup: ['test/support/engine-setup.ts'],
          ...limits,
        },
      },
      {
        test: {
          name: 'journeys',
          include: ['test/journeys/**/*.test.ts'],
          globalSetup: ['test/support/cloud-setup.ts'],
          ...limits,
        },
      },
    ],
  },
});
