import { Activity } from './activity.ts';
import { listenS3, openBuckets } from './engines/s3.ts';
import { ensureQueue } from './engines/sqs.ts';
import { ensureTable } from './engines/tables.ts';
import { LocalFailure } from './failure.ts';
import { type Endpoints, functionSpec } from './functions.ts';
import { Crowd } from './lambda/crowd.ts';
import type { InvokeResult } from './lambda/instance.ts';
import { FunctionPool } from './lambda/pool.ts';
import type { LocalLog } from './log.ts';
import { mappingOf } from './mappings.ts';
import { arnOf, nameOf, referencesOf } from './resources.ts';
import { type ApiAddress, S3_PLACE, type Services } from './services.ts';
import type { State } from './state.ts';
import type { Assembly } from './synthesise.ts';
import {
  type MadeType,
  type Properties,
  type Resource,
  readTemplate,
  resolve,
  resourcesOf,
} from './template.ts';
import { makeRules, startTriggers } from './triggers.ts';
import { together, type Undo } from './undo.ts';

export interface DeployOptions {
  readonly state: State;
  readonly log: LocalLog;
  readonly port: number;
  readonly api: ApiAddress;
  readonly services: Services;
  readonly assembly: Assembly;
  readonly adminKey: string | undefined;
  readonly instancesMax: number | undefined;
}

/** A stack that runs. Functions are named by their entry: `files/on-block`. */
export interface Deployment {
  readonly endpoints: Endpoints;
  /** Empty when the stack has no such secret. */
  readonly adminKey: string;
  /** Empty when the stack has none. */
  readonly bucket: string;
  /** The value of a variable that some function was deployed with. */
  variable(name: string): string;
  invoke(entry: string, event: unknown): Promise<InvokeResult>;
  instances(entry: string): number[];
  killInstances(entry: string): Promise<number>;
}

/** The resources of a type, with every intrinsic function resolved. */
export type Resolved = (...types: readonly MadeType[]) => readonly Resource[];

/** Functions by their ARN. */
export type Pools = Map<string, FunctionPool>;

/** Makes the resources of the template, and starts what runs them. */
export async function deploy(options: DeployOptions, undo: Undo): Promise<Deployment> {
  const { state, log, port, api, services } = options;
  const { resolved, made } = await makeResources(options);

  const pools: Pools = new Map();
  const activity = new Activity();
  const rules = makeRules(resolved('AWS::Events::Rule'), pools, services);
  const buckets = openBuckets({
    state,
    buckets: resolved('AWS::S3::Bucket'),
    tell: (event) => rules.put(event),
  });
  const s3 = await listenS3(buckets, port === 0 ? 0 : port + S3_PLACE);
  undo.push(() => s3.stop());

  const endpoints: Endpoints = {
    dynamodb: services.dynamodb.endpoint,
    sqs: services.sqs.endpoint,
    // It knows of nothing but queues, and so stands where they are, also where those are not ours.
    cloudwatch: process.env.AWS_ENDPOINT_URL_CLOUDWATCH ?? services.sqs.endpoint,
    s3: s3.endpoint,
    secrets: services.secrets.endpoint,
  };
  makePools(pools, resolved, { ...options, endpoints, activity });
  const adminKey = ensureAdminKey(options, pools);
  state.noteMade(made);
  await startTriggers({ state, log, api, services, resolved, pools, rules, activity }, undo);
  void buckets.tellAll();
  return deploymentOf(endpoints, adminKey, pools);
}

interface Resources {
  readonly resolved: Resolved;
  /** What must be there at the next start. */
  readonly made: readonly string[];
}

/** Tables, queues and secrets; what others refer to is known afterwards. */
async function makeResources(options: DeployOptions): Promise<Resources> {
  const { api, assembly, services, state } = options;
  const template = readTemplate(assembly.templateFile);
  const streamArns = new Map<string, string>();
  const references = referencesOf(template, {
    apiUrl: api.url,
    queueUrl: (name) => `${services.sqs.endpoint}/000000000000/${name}`,
    streamArns,
  });
  const resolved: Resolved = (...types) =>
    resourcesOf(template, ...types).map((resource) => ({
      ...resource,
      properties: resolve(resource.properties, references, resource.id) as Properties,
    }));

  const secrets = resolved('AWS::SecretsManager::Secret');
  for (const secret of secrets) {
    const name = nameOf(secret);
    services.secrets.store.ensure(name, secret.properties, state.wasMade(name));
  }
  const { endpoint } = services.dynamodb;
  const tables = resolved('AWS::DynamoDB::GlobalTable', 'AWS::DynamoDB::Table');
  await together(
    ...tables.map(async (table) => {
      const streamArn = await ensureTable(endpoint, table, state.wasMade(nameOf(table)));
      if (streamArn) streamArns.set(nameOf(table), streamArn);
    }),
    ...resolved('AWS::SQS::Queue').map((queue) => ensureQueue(services.sqs.endpoint, queue)),
  );
  return { resolved, made: [...secrets, ...tables].map(nameOf) };
}

function makePools(
  pools: Pools,
  resolved: Resolved,
  options: DeployOptions & { readonly endpoints: Endpoints; readonly activity: Activity },
): void {
  const { log, assembly, endpoints, activity, services } = options;
  const crowd = new Crowd(options.instancesMax);
  const sources = resolved('AWS::Lambda::EventSourceMapping').map((it) => mappingOf(it));
  const inBackground = new Set(sources.map((it) => it.functionName));
  const behindFront = { ...endpoints, dynamodb: services.front.endpoint };
  for (const resource of resolved('AWS::Lambda::Function')) {
    const names = [arnOf(resource) ?? '', nameOf(resource)];
    const isApart = names.some((it) => inBackground.has(it));
    const spec = functionSpec(resource, assembly, isApart ? behindFront : endpoints);
    pools.set(arnOf(resource) ?? resource.id, new FunctionPool(spec, { log, activity, crowd }));
  }
}

/** The admin key is the secret that functions know as SECRET_ADMIN_KEY. */
function ensureAdminKey({ services, adminKey }: DeployOptions, pools: Pools): string {
  const id = findVariable(pools, 'SECRET_ADMIN_KEY');
  if (id === undefined) return '';
  if (adminKey) services.secrets.store.set(id, adminKey);
  return services.secrets.store.find(id) ?? '';
}

function findVariable(pools: Pools, name: string): string | undefined {
  const specs = [...pools.values()].map(({ spec }) => spec);
  return specs.map(({ environment }) => environment[name]).find((value) => value !== undefined);
}

function deploymentOf(endpoints: Endpoints, adminKey: string, pools: Pools): Deployment {
  const poolOf = (entry: string): FunctionPool => {
    const pool = [...pools.values()].find(({ spec }) => spec.title === entry);
    if (!pool) throw new LocalFailure(`there is no function ${entry}`);
    return pool;
  };
  return {
    endpoints,
    adminKey,
    bucket: findVariable(pools, 'BUCKET_FILES') ?? '',
    variable(name) {
      const value = findVariable(pools, name);
      if (value === undefined) throw new LocalFailure(`no function has the variable ${name}`);
      return value;
    },
    invoke: (entry, event) => poolOf(entry).invoke(event),
    instances: (entry) => poolOf(entry).processIds,
    killInstances: (entry) => poolOf(entry).kill(),
  };
}
