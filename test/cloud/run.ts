/**
 * `npm run test:cloud`: the proof that the stack works where we did not make the cloud. Plain
 * `cdk` deploys it to an independent emulator, the journeys use it over HTTP, it is deployed again
 * as it is and with a changed function, and destroyed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { SharedCloud } from '../support/cloud-setup.ts';
import { readTestReport } from '../support/test-report.ts';
import { cdk, deploy, findDeployed, listFunctions, ROOT } from './deployment.ts';
import { DEPLOYED } from './journeys-setup.ts';
import { FILES_LEFT_OUT, TESTS_LEFT_OUT } from './left-out.ts';
import { type MiniStack, startMiniStack } from './ministack.ts';
import { installTool, runTool } from './python-tool.ts';

const CFN_LINT = '1.58.0';
/** The CDK writes down which role a function waits for, though the function names it anyway. */
const RULES_LEFT_OUT = ['W3005'];

const REPORT = join(ROOT, 'node_modules/.cache/tallyhook/cloud-report.json');
const CODE = ['bin', 'functions', 'lib', 'docs', 'cdk.json', 'package.json', 'package-lock.json'];

let passed = 0;
let failed = 0;
const failures: string[] = [];

/** Runs one step and prints how it went. Answers what it gave, or undefined where it failed. */
async function step<Result>(title: string, job: () => Promise<Result>) {
  const startedMs = performance.now();
  try {
    const result = await job();
    passed += 1;
    console.log(`ok      ${title} (${((performance.now() - startedMs) / 1_000).toFixed(1)} s)`);
    return { result };
  } catch (error) {
    failed += 1;
    const failure = `not ok  ${title}\n${error instanceof Error ? error.stack : error}`;
    console.log(failure);
    failures.push(failure);
    return undefined;
  }
}

/** Runs the journeys (all that the emulator supports, or those `files`), and counts them. */
async function runJourneys(at: SharedCloud, files: readonly string[]): Promise<void> {
  const escaped = (name: string) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const leftOut = Object.keys(TESTS_LEFT_OUT).map(escaped).join('|');
  rmSync(REPORT, { force: true });
  const args = [
    ...['run', '--config', join(ROOT, 'test/cloud/journeys-config.ts'), ...files],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`],
    ...(leftOut ? ['--testNamePattern', `^(?!.*(${leftOut})).*$`] : []),
  ];
  const env = { ...process.env, [DEPLOYED]: JSON.stringify(at) };
  const child = spawn(join(ROOT, 'node_modules/.bin/vitest'), args, { stdio: 'inherit', env });
  await once(child, 'exit');
  const report = readTestReport(REPORT);
  passed += report.passed;
  failed += report.failed;
  failures.push(...report.failures);
}

/** Nothing in the template may be against the rules of CloudFormation. */
async function lintTemplate({ folder, region }: MiniStack): Promise<void> {
  const lint = installTool('cfn-lint', CFN_LINT);
  const template = join(folder, 'cdk.out/Tallyhook.template.json');
  runTool(lint, '--ignore-checks', ...RULES_LEFT_OUT, '--regions', region, '--', template);
}

/** Deploys as it is: nothing may change, or every deployment would restart all functions. */
async function deployUnchanged(cloud: MiniStack): Promise<void> {
  const before = await listFunctions(cloud);
  const said = await deploy(cloud);
  assert.match(said, /no changes/);
  assert.deepEqual(await listFunctions(cloud), before);
}

/** Deploys a copy of the code, in which one function is another: that one changes, no other. */
async function deployChanged(cloud: MiniStack): Promise<void> {
  const before = await listFunctions(cloud);
  const copy = join(cloud.folder, 'changed');
  mkdirSync(copy);
  for (const name of CODE) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  appendFileSync(join(copy, 'functions/docs/api.ts'), `\nexport const isChanged = true;\n`);
  await deploy(cloud, copy);
  const after = await listFunctions(cloud);
  const hashes = new Map(before.map(({ name, codeSha256 }) => [name, codeSha256]));
  const changed = after.filter(({ name, codeSha256 }) => hashes.get(name) !== codeSha256);
  assert.deepEqual(
    changed.map(({ name }) => /Docs/.test(name)),
    [true],
  );
  const { apiUrl } = await findDeployed(cloud);
  assert.equal((await fetch(`${apiUrl}/openapi.json`)).status, 200);
}

const cloud = await startMiniStack();
try {
  await step('cdk bootstrap', () => cdk(cloud, { args: ['bootstrap'] }));
  const deployed = await step('cdk deploy', async () => {
    await deploy(cloud);
    return findDeployed(cloud);
  });
  if (deployed) {
    await step('cfn-lint', () => lintTemplate(cloud));
    await runJourneys(deployed.result, process.argv.slice(2));
    await step('cdk deploy of the same', () => deployUnchanged(cloud));
    await step('cdk deploy of a changed function', () => deployChanged(cloud));
    await step('cdk destroy', () => cdk(cloud, { args: ['destroy', '--force'] }));
  }
} finally {
  await cloud.stop();
}
console.log('left out, because of the emulator:');
for (const [what, why] of Object.entries({ ...FILES_LEFT_OUT, ...TESTS_LEFT_OUT })) {
  console.log(`  ${what}: ${why}`);
}
for (const failure of failures) console.log(failure);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
