import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { TestProject } from 'vitest/node';
import { readOptions } from '../../functions/shared/config.ts';
import { TallyhookStack } from '../../lib/tallyhook-stack.ts';
import { freePort } from '../../local/http/free-port.ts';
import { type TableSpec, tableSpecsOf } from './tables.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    engineUrl: string;
    tableSpecs: readonly TableSpec[];
  }
}

/**
 * One engine in memory for the whole run; each test file makes tables of its own in it. With
 * AWS_ENDPOINT_URL_DYNAMODB it is the engine at that address, and nothing is started.
 */
export default async function setup(project: TestProject): Promise<() => void> {
  const external = process.env.AWS_ENDPOINT_URL_DYNAMODB;
  project.provide('tableSpecs', tableSpecsOf(synthesise()));
  if (external) {
    project.provide('engineUrl', external);
    return () => undefined;
  }
  const port = await freePort(0);
  const engine = spawn(engineFile(), ['serve', '--port', String(port)], { stdio: 'ignore' });
  const engineUrl = `http://127.0.0.1:${port}`;
  await answering(engineUrl, engine);
  project.provide('engineUrl', engineUrl);
  return () => {
    engine.kill();
  };
}

/** The tables are those of the stack, so that tests and deployment cannot drift apart. */
function synthesise(): Template {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  return Template.fromStack(new TallyhookStack(app, 'Tallyhook', { options: readOptions({}) }));
}

function engineFile(): string {
  const platform = `@dynoxide/${process.platform}-${process.arch}`;
  const manifest = createRequire(import.meta.url).resolve(`${platform}/package.json`);
  return join(dirname(manifest), process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide');
}

/** Against hanging, not against slowness. */
const START_MS_MAX = 120_000;

async function answering(url: string, engine: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS_MAX;
  while (engine.exitCode === null && Date.now() < deadline) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the local DynamoDB engine did not start');
}
