import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import * as z from 'zod';

/**
 * `npm test`: format and lint, types, then every test. The last line counts them all, the two
 * checks as one each.
 */
const REPORT = 'node_modules/.cache/tallyhook/test-report.json';

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numFailedTestSuites: z.number(),
  numPendingTests: z.number(),
});

const runs = (command: string, ...args: string[]) =>
  spawnSync(command, args, { stdio: 'inherit' }).status === 0;

rmSync(REPORT, { force: true });
const checks = [runs('biome', 'ci', '--colors=off', '.'), runs('tsc', '-p', '.')];
const green = runs(
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${REPORT}`,
  ...process.argv.slice(2),
);

const report = Report.parse(JSON.parse(readFileSync(REPORT, 'utf8')));
const passed = report.numPassedTests + checks.filter((ok) => ok).length;
// A suite that fails outside of its tests, or a skipped test, is a failure as well.
const failedTests = report.numFailedTests + report.numPendingTests;
const failedSuites = failedTests === 0 && !green ? Math.max(1, report.numFailedTestSuites) : 0;
const failed = failedTests + failedSuites + checks.filter((ok) => !ok).length;

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
