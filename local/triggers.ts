import { setTimeout as sleep } from 'node:timers/promises';
import type { Activity } from './activity.ts';
import { RouteTable } from './api-gateway/routes.ts';
import { apiGateway, type Invoke } from './api-gateway/server.ts';
import { callAws } from './aws-call.ts';
import type { Pools, Resolved } from './deployment.ts';
import { Checkpoints } from './event-sources/checkpoints.ts';
import { type EventSource, startSqsSource } from './event-sources/sqs.ts';
import { startStreamSource } from './event-sources/stream.ts';
import { LocalFailure } from './failure.ts';
import type { FunctionPool } from './lambda/pool.ts';
import type { LocalLog } from './log.ts';
import { instancesFor, type Mapping, mappingOf, sqsSpec, streamSpec } from './mappings.ts';
import { Rules } from './rules.ts';
import type { ApiAddress, Services } from './services.ts';
import type { State } from './state.ts';
import type { Resource } from './template.ts';
import type { Undo } from './undo.ts';

/** How long running functions may finish after Ctrl-C, before they are killed. */
const GRACE_MS = 500;

export interface TriggerOptions {
  readonly state: State;
  readonly log: LocalLog;
  readonly api: ApiAddress;
  readonly services: Services;
  readonly resolved: Resolved;
  readonly pools: Pools;
  readonly rules: Rules;
  readonly activity: Activity;
}

/** Everything that calls functions: the API, queues, streams and the clock. */
export async function startTriggers(options: TriggerOptions, undo: Undo): Promise<void> {
  const { api, log, pools, resolved, rules, state } = options;
  const routes = makeRoutes(resolved, pools);
  const checkpoints = new Checkpoints(state.path('streams.json'));
  undo.push(() => checkpoints.flush());

  const sources: EventSource[] = [];
  undo.push(async () => {
    rules.stopSchedules();
    const ending = Promise.all(sources.map((source) => source.stop()));
    await Promise.race([ending, sleep(GRACE_MS)]);
    await Promise.all([...pools.values()].map((pool) => pool.stop()));
    await ending;
  });
  const all = resolved('AWS::Lambda::EventSourceMapping').map(mappingOf);
  const mappings = all.filter((it) => it.isEnabled);
  for (const mapping of mappings) {
    sources.push(startSource(mapping, { ...options, checkpoints, mappings }));
  }
  api.answerBy(apiGateway(routes));
  rules.startSchedules(log);
}

/** Rules bring events to queues and functions. A function's failure is in its own log. */
export function makeRules(resources: readonly Resource[], pools: Pools, { sqs }: Services): Rules {
  return new Rules(resources, async (targetArn, event) => {
    const pool = pools.get(targetArn);
    if (pool) await pool.invoke(event);
    else await sendTo(sqs.endpoint, targetArn, event);
  });
}

async function sendTo(endpoint: string, queueArn: string, message: object): Promise<void> {
  await callAws({ endpoint, service: 'sqs' }, 'SendMessage', {
    QueueUrl: queueUrl(endpoint, queueArn),
    MessageBody: JSON.stringify(message),
  });
}

const queueUrl = (endpoint: string, arn: string): string =>
  `${endpoint}/000000000000/${arn.split(':').at(-1)}`;

function makeRoutes(resolved: Resolved, pools: Pools): RouteTable<Invoke> {
  const targets = new Map<string, Invoke>();
  const integrations = new Map(
    resolved('AWS::ApiGatewayV2::Integration').map(({ id, properties }) => [id, properties]),
  );
  for (const { id, properties } of resolved('AWS::ApiGatewayV2::Route')) {
    const integration = integrations.get(String(properties.Target).replace('integrations/', ''));
    if (integration?.PayloadFormatVersion !== '2.0') {
      throw new LocalFailure(`${id}: the local cloud knows the payload format 2.0 only`);
    }
    const pool = poolOf(id, String(integration.IntegrationUri), pools);
    targets.set(String(properties.RouteKey), (event) => pool.invoke(event));
  }
  return new RouteTable(targets);
}

/** By ARN, or by the name at its end. */
function poolOf(id: string, target: string, pools: Pools): FunctionPool {
  const found = pools.get(target) ?? [...pools.values()].find(({ spec }) => spec.name === target);
  if (!found) throw new LocalFailure(`${id}: there is no function ${target}`);
  return found;
}

function startSource(
  mapping: Mapping,
  options: TriggerOptions & {
    readonly checkpoints: Checkpoints;
    readonly mappings: readonly Mapping[];
  },
): EventSource {
  const { services, log } = options;
  const pool = poolOf(mapping.id, mapping.functionName, options.pools);
  const invoke: Invoke = (event) => pool.invoke(event, mapping.id);
  const { endpoint } = services.sqs;
  const service = mapping.sourceArn.split(':')[2];
  if (service === 'sqs') {
    const concurrencyMax = instancesFor(mapping, options.mappings, pool.instancesMax);
    const spec = sqsSpec(mapping, queueUrl(endpoint, mapping.sourceArn), concurrencyMax);
    return startSqsSource(spec, { endpoint, invoke, log });
  }
  if (service !== 'dynamodb') {
    throw new LocalFailure(`${mapping.id}: the local cloud has no event source ${service}`);
  }
  const { onFailureArn } = mapping;
  return startStreamSource(streamSpec(mapping, pool.spec.name), {
    endpoint: services.dynamodb.endpoint,
    invoke,
    log,
    checkpoints: options.checkpoints,
    activity: options.activity,
    ...(onFailureArn && {
      onFailure: (description: object) => sendTo(endpoint, onFailureArn, description),
    }),
  });
}
