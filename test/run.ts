import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { readTestReport } from './support/test-report.ts';

/**
 * `npm test`: format and lint, types, the rooms' tests and the journeys. With arguments, the tests
 * that vitest finds by them, and nothing else. The last line counts them all, the two checks as one
 * each; before it stand the failures again, for who reads a long log from its end.
 */
const REPORT = 'node_modules/.cache/tallyhook/test-report.json';

const runs = (command: string, ...args: string[]) =>
  spawnSync(command, args, { stdio: 'inherit' }).status === 0;

const asked = process.argv.slice(2);
rmSync(REPORT, { force: true });
const checks: Readonly<Record<string, boolean>> =
  asked.length > 0
    ? {}
    : { 'biome ci': runs('biome', 'ci', '--colors=off', '.'), tsc: runs('tsc', '-p', '.') };
const green = runs(
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${REPORT}`,
  ...(asked.length > 0 ? asked : ['--project=rooms', '--project=journeys']),
);

const report = readTestReport(REPORT);
const broken = Object.entries(checks).flatMap(([name, ok]) => (ok ? [] : [`FAILED ${name}`]));
// An error outside of all tests, or a skipped test, is a failure as well.
const failedTests = report.failed + report.skipped;
const failed = broken.length + (failedTests === 0 && !green ? 1 : failedTests);
const passed = report.passed + Object.keys(checks).length - broken.length;

for (const failure of [...broken, ...report.failures]) console.log(failure);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
