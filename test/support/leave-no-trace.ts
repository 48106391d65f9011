import { afterAll, expect, vi } from 'vitest';

/** The files of a worker follow each other in one process: each has to leave it as it found it. */
const environment = { ...process.env };
const folder = process.cwd();
afterAll(() => {
  const names = Object.keys({ ...environment, ...process.env });
  // Only their names: values may be secrets of whoever runs the tests.
  const changed = names.filter((it) => environment[it] !== process.env[it]);
  const isOtherFolder = process.cwd() !== folder;
  const hasFakeTimers = vi.isFakeTimers();
  expect({ changed, isOtherFolder, hasFakeTimers }).toEqual({
    changed: [],
    isOtherFolder: false,
    hasFakeTimers: false,
  });
});
