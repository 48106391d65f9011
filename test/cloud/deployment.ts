import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import type { SharedCloud } from '../support/cloud-setup.ts';
import { SNAPSHOT_TABLES } from '../support/invariants/snapshot.ts';
import type { MiniStack } from './ministack.ts';

/** Where this code is. */
export const ROOT = join(import.meta.dirname, '../..');
/** Against hanging, not against slowness. */
const DEPLOY_MS_MAX = 900_000;

const Outputs = z.object({
  Tallyhook: z.object({
    ApiUrl: z.string(),
    ApiId: z.string(),
    AdminKeySecretName: z.string(),
    BucketName: z.string(),
  }),
});

/** What is asked of a command of the CDK. */
export interface CdkCall {
  readonly args: readonly string[];
  /** The folder of the code to deploy. */
  readonly root?: string;
}

/** Runs `cdk` against the emulator exactly as a person would against AWS. Answers what it said. */
export async function cdk(cloud: MiniStack, { args, root = ROOT }: CdkCall): Promise<string> {
  const flags = ['--no-notices', '--ci', '-c', 'egress=loopback'];
  const output = ['--output', `${cloud.folder}/cdk.out`];
  const child = spawn(join(ROOT, 'node_modules/.bin/cdk'), [...args, ...flags, ...output], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
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
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(`cdk ${args[0]} ended with ${status}\n${said}`);
  return said;
}

/** Deploys the stack, of another folder where `root` names one. Answers what the CLI said. */
export function deploy(cloud: MiniStack, root?: string): Promise<string> {
  const args = ['deploy', '--require-approval', 'never', '--outputs-file', outputsOf(cloud)];
  return cdk(cloud, { args, ...(root !== undefined && { root }) });
}

const outputsOf = ({ folder }: MiniStack) => join(folder, 'outputs.json');

/** Where the deployed API answers and its data is, from the stack's outputs and its functions. */
export async function findDeployed(cloud: MiniStack): Promise<SharedCloud> {
  const { Tallyhook } = Outputs.parse(JSON.parse(readFileSync(outputsOf(cloud), 'utf8')));
  const functions = await listFunctions(cloud);
  const variables = Object.assign({}, ...functions.map(({ variables }) => variables));
  const variableOf = (name: string): string => z.string().parse(variables[name]);
  const tableOf = (name: string) => [name, variableOf(`TABLE_${name.toUpperCase()}`)];
  return {
    // The emulator has no host per API, but a path.
    apiUrl: `${cloud.url}/_aws/execute-api/${Tallyhook.ApiId}/$default`,
    adminKey: await secretOf(cloud, Tallyhook.AdminKeySecretName),
    dynamodbUrl: cloud.url,
    tables: Object.fromEntries(SNAPSHOT_TABLES.map(tableOf)) as SharedCloud['tables'],
    deadLettersUrl: variableOf('PARKED_AUDITS'),
    endpointCareUrl: variableOf('QUEUE_ENDPOINT_CARE'),
    drops: { s3Url: cloud.url, bucket: variableOf('BUCKET_FILES'), folder: cloud.folder },
  };
}

async function secretOf({ url, region }: MiniStack, name: string): Promise<string> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new SecretsManagerClient({ endpoint: url, region, credentials });
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: name }));
  if (!SecretString) throw new Error(`the secret ${name} is empty`);
  return SecretString;
}

/** A function as the emulator runs it. */
export interface DeployedFunction {
  readonly name: string;
  readonly codeSha256: string;
  readonly variables: Readonly<Record<string, string>>;
}

const Functions = z.object({
  Functions: z.array(
    z.object({
      FunctionName: z.string(),
      CodeSha256: z.string(),
      Environment: z.object({ Variables: z.record(z.string(), z.string()) }).optional(),
    }),
  ),
  NextMarker: z.string().nullish(),
});

/** All functions there are. The emulator looks at no signature. */
export async function listFunctions({ url }: MiniStack): Promise<DeployedFunction[]> {
  const found: DeployedFunction[] = [];
  let marker: string | null | undefined = '';
  while (marker !== undefined && marker !== null) {
    const answer = await fetch(`${url}/2015-03-31/functions/?MaxItems=50&Marker=${marker}`);
    const page = Functions.parse(await answer.json());
    for (const { FunctionName, CodeSha256, Environment } of page.Functions) {
      const variables = Environment?.Variables ?? {};
      found.push({ name: FunctionName, codeSha256: CodeSha256, variables });
    }
    marker = page.NextMarker;
  }
  return found;
}
