import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalFailure } from './failure.ts';
import type { FunctionSpec } from './lambda/instance.ts';
import { nameOf, REGION } from './resources.ts';
import { LOCAL_KEYS } from './s3/policy.ts';
import type { Assembly } from './synthesise.ts';
import type { Resource } from './template.ts';

/** Where functions find the services, as the AWS SDK reads it. */
export interface Endpoints {
  readonly dynamodb: string;
  readonly sqs: string;
  readonly cloudwatch: string;
  readonly s3: string;
  readonly secrets: string;
}

/** What Lambda takes where the template says nothing. */
const TIMEOUT_SECONDS = 3;
const MEMORY_MB = 128;

/** A function as its resource describes it, once its properties are resolved. */
export function functionSpec(
  resource: Resource,
  assembly: Assembly,
  endpoints: Endpoints,
): FunctionSpec {
  const { id, properties } = resource;
  const [module = '', exportName = ''] = String(properties.Handler).split('.');
  const memoryMb = Number(properties.MemorySize ?? MEMORY_MB);
  const name = nameOf(resource);
  const { Variables = {} } = (properties.Environment ?? {}) as {
    Variables?: Readonly<Record<string, string>>;
  };
  return {
    name,
    title: String(properties.Description ?? id).replace(/^Tallyhook /, ''),
    file: join(codeDir(resource, assembly), `${module}.mjs`),
    exportName,
    timeoutMs: 1_000 * Number(properties.Timeout ?? TIMEOUT_SECONDS),
    memoryMb,
    environment: { ...runtimeVariables(name, memoryMb, endpoints), ...Variables },
  };
}

/** What Lambda itself puts into the environment, with the addresses of this cloud. */
function runtimeVariables(
  name: string,
  memoryMb: number,
  endpoints: Endpoints,
): Record<string, string> {
  return {
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: LOCAL_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: LOCAL_KEYS.secretAccessKey,
    AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
    AWS_ENDPOINT_URL_SQS: endpoints.sqs,
    AWS_ENDPOINT_URL_CLOUDWATCH: endpoints.cloudwatch,
    AWS_ENDPOINT_URL_S3: endpoints.s3,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.secrets,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
    TZ: 'UTC',
  };
}

interface AssetManifest {
  readonly files: Readonly<Record<string, { readonly source: { readonly path: string } }>>;
}

/** The folder of the asset that the code is: the template names its hash. */
function codeDir({ id, properties }: Resource, { dir, templateFile }: Assembly): string {
  const { S3Key } = (properties.Code ?? {}) as { S3Key?: string };
  const manifestFile = templateFile.replace('.template.json', '.assets.json');
  const manifest: AssetManifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
  const asset = S3Key && manifest.files[S3Key.replace(/\.zip$/, '')];
  if (!asset) throw new LocalFailure(`${id}: the code of the function is not among the assets`);
  return join(dir, asset.source.path);
}
