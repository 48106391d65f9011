import type { QueueStore } from './store.ts';

/** How an operation of CloudWatch is named in its JSON protocol. */
export const CLOUDWATCH_TARGET = 'GraniteServiceVersion20100801.';

/** An answer that names an error of CloudWatch, as the SDKs know it. */
export class CloudWatchError extends Error {
  override readonly name = 'CloudWatchError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A request as the JSON protocol carries it; times are seconds since 1970. */
interface DataRequest {
  readonly MetricDataQueries?: readonly DataQuery[];
  readonly StartTime?: number;
  readonly EndTime?: number;
}

interface DataQuery {
  readonly Id?: string;
  readonly MetricStat?: {
    readonly Metric?: {
      readonly Namespace?: string;
      readonly MetricName?: string;
      readonly Dimensions?: readonly { readonly Name?: string; readonly Value?: string }[];
    };
    readonly Period?: number;
    readonly Stat?: string;
  };
}

/** Quota of GetMetricData. */
const QUERIES_MAX = 500;
const PERIOD_SECONDS = 60;

/**
 * The part of CloudWatch that only the queues can answer: how old the oldest message of each is.
 * It has the present value, for whoever asks until now, and keeps none; everything else is refused.
 */
export function answerCloudWatch(operation: string, body: DataRequest, store: QueueStore): object {
  if (operation !== 'GetMetricData') {
    throw new CloudWatchError(
      'InvalidAction',
      `The local CloudWatch does not know "${operation}".`,
    );
  }
  const { MetricDataQueries: queries = [], StartTime = 0, EndTime = 0 } = body;
  checkIds(queries.map(({ Id = '' }) => Id));
  if (!(StartTime < EndTime)) {
    throw new CloudWatchError('ValidationException', 'StartTime must be less than EndTime.');
  }
  const nowSeconds = store.nowMs() / 1_000;
  // Another minute may have begun since it was asked.
  const minute = lastMinuteBefore(Math.min(EndTime, nowSeconds));
  const isAskedFor = StartTime <= minute && nowSeconds - EndTime < PERIOD_SECONDS;
  return {
    MetricDataResults: queries.map((query) => {
      const age = store.oldestAgeSeconds(queueOf(query));
      const values = isAskedFor && age !== undefined ? [age] : [];
      const { Id } = query;
      const Timestamps = values.map(() => minute);
      return { Id, Label: Id, StatusCode: 'Complete', Timestamps, Values: values };
    }),
  };
}

/** The last one that has begun before the time, in seconds since 1970. */
function lastMinuteBefore(seconds: number): number {
  return PERIOD_SECONDS * (Math.ceil(seconds / PERIOD_SECONDS) - 1);
}

function checkIds(ids: readonly string[]): void {
  const areGood = ids.every((it) => /^[a-z]\w*$/.test(it)) && new Set(ids).size === ids.length;
  if (ids.length > 0 && ids.length <= QUERIES_MAX && areGood) return;
  throw new CloudWatchError(
    'ValidationException',
    `MetricDataQueries must be 1 to ${QUERIES_MAX}, each with an Id of its own like "q1".`,
  );
}

/** The queue that is asked about. Refuses a query about anything else. */
function queueOf({ MetricStat: { Metric = {}, Period, Stat } = {} }: DataQuery): string {
  const { Namespace, MetricName, Dimensions: [dimension, ...others] = [] } = Metric;
  const isAge =
    Namespace === 'AWS/SQS' &&
    MetricName === 'ApproximateAgeOfOldestMessage' &&
    Period === PERIOD_SECONDS &&
    Stat === 'Maximum';
  const isOfQueue = dimension?.Name === 'QueueName' && others.length === 0;
  if (isAge && isOfQueue && dimension.Value) return dimension.Value;
  throw new CloudWatchError(
    'InvalidParameterValueException',
    'The local CloudWatch has the Maximum of AWS/SQS ApproximateAgeOfOldestMessage in 60 seconds ' +
      'by QueueName, and nothing else.',
  );
}
