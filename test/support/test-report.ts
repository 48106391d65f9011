import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** The part of vitest's JSON report that is read here. */
const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numFailedTestSuites: z.number(),
  numPendingTests: z.number(),
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()),
        }),
      ),
    }),
  ),
});

/** What a run of vitest came to. */
export interface TestReport {
  readonly passed: number;
  /** With the suites that failed outside of their tests. */
  readonly failed: number;
  readonly skipped: number;
  /** Each failure by its file and name, with the beginning of what was thrown. */
  readonly failures: readonly string[];
}

const THROWN_CHARACTERS = 800;

/** Reads the report that `--reporter=json` wrote to `file`. */
export function readTestReport(file: string): TestReport {
  const report = Report.parse(JSON.parse(readFileSync(file, 'utf8')));
  const isOutside = !report.success && report.numFailedTests === 0;
  const failures = report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const tests = assertionResults
      .filter((it) => it.status === 'failed')
      .map((it) => told(`${name} > ${it.fullName}`, it.failureMessages.join('\n')));
    return tests.length === 0 && status === 'failed' ? [told(name, message)] : tests;
  });
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + (isOutside ? Math.max(1, report.numFailedTestSuites) : 0),
    skipped: report.numPendingTests,
    failures,
  };
}

function told(what: string, thrown: string): string {
  return `FAILED ${what}\n${thrown.slice(0, THROWN_CHARACTERS)}`;
}
