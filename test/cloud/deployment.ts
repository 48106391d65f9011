import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import type { MiniStack } from './ministack.ts';

const ROOT = join(import.meta.dirname, '../..');
const DEPLOY_MS_MAX = 180_000;

const Outputs = z.object({
  Tallyhook: z.object({
    ApiUrl: z.string(),
    ApiId: z.string(),
    AdminKeySecretName: z.string(),
    BucketName: z.string(),
  }),
});

/** Where the deployed API answers, and the key that opens it. */
export interface Deployed {
  readonly apiUrl: string;
  readonly adminKey: string;
}

/** Runs `cdk` against the emulator exactly as a person would against AWS. */
export async function cdk(cloud: MiniStack, ...args: string[]): Promise<void> {
  const child = spawn(
    join(ROOT, 'node_modules/.bin/cdk'),
    [
      ...args,
      '--no-notices',
      '--ci',
      '-c',
      'egress=loopback',
      '--output',
      `${cloud.folder}/cdk.out`,
    ],
    {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: DEPLOY_MS_MAX,
      env: {
        PATH: process.env.PATH,
        HOME: cloud.folder,
        AWS_ENDPOINT_URL: cloud.url,
        AWS_ENDPOINT_URL_S3: cloud.url,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
        AWS_REGION: cloud.region,
        AWS_EC2_METADATA_DISABLED: 'true',
      },
    },
  );
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`cdk ${args[0]} ended with ${status}`);
}

/** Deploys the stack, and reads from its outputs what a user would. */
export async function deploy(cloud: MiniStack): Promise<Deployed> {
  const outputs = join(cloud.folder, 'outputs.json');
  await cdk(cloud, 'deploy', '--require-approval', 'never', '--outputs-file', outputs);
  const { Tallyhook } = Outputs.parse(JSON.parse(readFileSync(outputs, 'utf8')));
  // The emulator has no host per API, but a path.
  const apiUrl = `${cloud.url}/_aws/execute-api/${Tallyhook.ApiId}/$default`;
  return { apiUrl, adminKey: await secretOf(cloud, Tallyhook.AdminKeySecretName) };
}

async function secretOf({ url, region }: MiniStack, name: string): Promise<string> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new SecretsManagerClient({ endpoint: url, region, credentials });
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: name }));
  if (!SecretString) throw new Error(`the secret ${name} is empty`);
  return SecretString;
}
