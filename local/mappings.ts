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

export function sqsSpec(
  { id, sourceArn, resource: { properties } }: Mapping,
  queueUrl: string,
  instancesMax: number,
): SqsSourceSpec {
  if (properties.FilterCriteria) {
    throw new LocalFailure(`${id}: the local cloud does not know filters of queues`);
  }
  const { MaximumConcurrency } = (properties.ScalingConfig ?? {}) as {
    MaximumConcurrency?: number;
  };
  return {
    queueArn: sourceArn,
    queueUrl,
    batchSize: Number(properties.BatchSize ?? SQS_BATCH),
    windowMs: 1_000 * Number(properties.MaximumBatchingWindowInSeconds ?? 0),
    // More than there are instances would only be received and wait here.
    concurrencyMax: Math.min(MaximumConcurrency ?? instancesMax, instancesMax),
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
