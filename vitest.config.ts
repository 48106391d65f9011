import { defineConfig } from 'vitest/config';

const limits = { testTimeout: 20_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
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
          testTimeout: 60_000,
        },
      },
    ],
  },
});
