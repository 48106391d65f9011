import { defineConfig } from 'vitest/config';
import { FILES_LEFT_OUT } from './left-out.ts';

/** The journeys over HTTP, against the stack that `npm run test:cloud` has deployed. */
export default defineConfig({
  test: {
    root: `${import.meta.dirname}/../..`,
    include: ['test/journeys/**/*.test.ts'],
    exclude: Object.keys(FILES_LEFT_OUT),
    globalSetup: ['test/cloud/journeys-setup.ts'],
    maxWorkers: 4,
    slowTestThreshold: 30_000,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
