import type { SqsSourceSpec } from './event-sources/sqs.ts';
import type { StreamSourceSpec } from './event-sources/stream.ts';
import { LocalFailure } from './failure.ts';
import type { Pattern } from './pattern.ts';
import type { Resource } from './template.ts';

/** What AWS takes where the template says nothing. */
const SQS_BATCH = 10;
const STREAM_BATCH = 100;

/** What an event source mapping may say; anything else is refused by its name. */
const KNOWN = [
  'BatchSize',
  'BisectBatchOnFunctionError',
  'DestinationConfig',
  'Enabled',
  'EventSourceArn',
  'FilterCriteria',
  'FunctionName',
  'FunctionResponseTypes',
  'MaximumBatchingWindowInSeconds',
  'MaximumRecordAgeInSeconds',
  'MaximumRetryAttempts',
  'ParallelizationFactor',
  'ScalingConfig',
  'StartingPosition',
  'Tags',
];

/** The properties of a resolved `AWS::Lambda::EventSourceMapping`. */
export interface Mapping {
  readonly id: string;
  readonly isEnabled: boolean;
  /** An ARN or a name. */
  readonly functionName: string;
  readonly sourceArn: string;
  readonly onFailureArn: string | undefined;
  readonly resource: Resource;
}

export function mappingOf(resource: Resource): Mapping {
  const { id, properties } = resource;
  const unknown = Object.keys(properties).find((name) => !KNOWN.includes(name));
  if (unknown) {
    throw new LocalFailure(`${id}: the local cloud does not know ${unknown} of an event source`);
  }
  const { OnFailure } = (properties.DestinationConfig ?? {}) as {
    OnFailure?: { Destination?: string };
  };
  return {
    id,
    isEnabled: properties.Enabled !== false,
    functionName: String(properties.FunctionName),
    sourceArn: String(properties.EventSourceArn),
    onFailureArn: OnFailure?.Destination,
    resource,
  };
}

/** How many copies of its function a queue may have at once; undefined is as many as there are. */
function concurrencyOf({ resource }: Mapping): number | undefined {
  const { MaximumConcurrency } = (resource.properties.ScalingConfig ?? {}) as {
    MaximumConcurrency?: number;
  };
  return MaximumConcurrency;
}

/**
 * How many of the function's instances this queue may use here. Where the queues of one function
 * may have more together than there are, each gets its share, so that none of them takes all and
 * none is left over.
 */
export function instancesFor(
  mapping: Mapping,
  all: readonly Mapping[],
  instancesMax: number,
): number {
  const wanted = concurrencyOf(mapping) ?? instancesMax;
  const beside = all.filter((it) => it.functionName === mapping.functionName);
  const sum = (mappings: readonly Mapping[]) =>
    mappings.reduce((total, it) => total + (concurrencyOf(it) ?? 0), 0);
  const together = sum(beside);
  if (together <= instancesMax) return Math.min(wanted, instancesMax);
  const before = sum(beside.slice(0, beside.indexOf(mapping)));
  const upTo = (concurrency: number) => Math.round((instancesMax * concurrency) / together);
  const share = upTo(before + wanted) - upTo(before);
  // One for each of the others.
  return Math.min(Math.max(1, share), instancesMax - beside.length + 1);
}

export function sqsSpec(
  { id, sourceArn, resource: { properties } }: Mapping,
  queueUrl: string,
  concurrencyMax: number,
): SqsSourceSpec {
  if (properties.FilterCriteria) {
    throw new LocalFailure(`${id}: the local cloud does not know filters of queues`);
  }
  return {
    queueArn: sourceArn,
    queueUrl,
    batchSize: Number(properties.BatchSize ?? SQS_BATCH),
    windowMs: 1_000 * Number(properties.MaximumBatchingWindowInSeconds ?? 0),
    // More than there are instances would only be received and wait here.
    concurrencyMax,
    reportsFailures: reportsFailures(properties.FunctionResponseTypes),
  };
}

export function streamSpec(
  { id, sourceArn, resource: { properties } }: Mapping,
  functionArn: string,
): StreamSourceSpec {
  const { Filters = [] } = (properties.FilterCriteria ?? {}) as {
    Filters?: readonly { Pattern: string }[];
  };
  return {
    id,
    functionArn,
    streamArn: sourceArn,
    batchSize: Number(properties.BatchSize ?? STREAM_BATCH),
    windowMs: 1_000 * Number(properties.MaximumBatchingWindowInSeconds ?? 0),
    lanes: Number(properties.ParallelizationFactor ?? 1),
    startsAt: properties.StartingPosition === 'LATEST' ? 'LATEST' : 'TRIM_HORIZON',
    filters: Filters.map((filter): Pattern => JSON.parse(filter.Pattern)),
    bisects: properties.BisectBatchOnFunctionError === true,
    retriesMax: Number(properties.MaximumRetryAttempts ?? -1),
    ageSecondsMax: Number(properties.MaximumRecordAgeInSeconds ?? -1),
    reportsFailures: reportsFailures(properties.FunctionResponseTypes),
  };
}

const reportsFailures = (types: unknown): boolean =>
  Array.isArray(types) && types.includes('ReportBatchItemFailures');
