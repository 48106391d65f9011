import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Limits against hanging, not against slowness: a machine may be busy with other things. */
const limits = { testTimeout: 600_000, hookTimeout: 600_000 };
const setupFiles = ['test/support/leave-no-trace.ts'];

/**
 * What takes minutes by itself is begun first, so that it is not what everybody waits for in the
 * end. Journeys wait for leases and ticks most of their time.
 */
const RANKS = [
  /drills.(webhook-soak|restore|crash|ops.test|purge)/,
  /(journeys.examples|files.crash|rate-limit-fleet|audit.(take-step|planted-faults))/,
  /journeys/,
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
    // Files share the modules of their worker, which keep nothing that one could notice of another.
    // It takes a third off the rooms.
    isolate: false,
    // Many take a second: naming each of them would bury the failures.
    slowTestThreshold: 30_000,
    projects: [
      {
        test: {
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: ['test/journeys/**', 'test/drills/**'],
          globalSetup: ['test/support/engine-setup.ts'],
          setupFiles,
          ...limits,
        },
      },
      {
        test: {
          name: 'journeys',
          include: ['test/journeys/**/*.test.ts'],
          globalSetup: ['test/support/cloud-setup.ts'],
          setupFiles,
          ...limits,
        },
      },
      // Each starts a cloud of its own, and most of them break it.
      {
        test: {
          name: 'drills',
          include: ['test/drills/**/*.test.ts'],
          env: { TEST_PATIENCE_MS: '300000' },
          setupFiles,
          ...limits,
        },
      },
    ],
  },
});
