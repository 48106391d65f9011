import { Duration, Validations } from 'aws-cdk-lib';
import {
  EventSourceMapping,
  FilterCriteria,
  FilterRule,
  StartingPosition,
} from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { alarm } from './alarm.ts';
import type { NodeFunction } from './node-function.ts';
import type { AnyTable } from './room-table.ts';
import { parkedQueue } from './work-queue.ts';

export interface StreamSourceProps {
  readonly outbox: AnyTable;
  readonly worker: NodeFunction;
  /** Name of the queue for what it cannot handle. */
  readonly parked: string;
  /** Beginnings of the types that it is given; absent for all. */
  readonly types?: readonly string[];
  /** What a customer notices while something is parked. Printed in the alarm. */
  readonly impact: string;
  /** What a customer notices while the worker does not keep up. Printed in the alarm. */
  readonly impactOfLag: string;
}

/** A worker that keeps up is behind by a second or so. */
const BEHIND_MAX = Duration.minutes(1);

/**
 * Hands inserted events of the outbox's stream to a worker, which has a position of its own there.
 * A record that it fails on stands alone in the end, and is parked, with an alarm. Another alarm
 * rings when the worker falls behind.
 */
export class StreamSource extends Construct {
  readonly parked: Queue;

  constructor(scope: Construct, id: string, props: StreamSourceProps) {
    super(scope, id);
    const { tableStreamArn } = props.outbox;
    if (!tableStreamArn) throw new Error('the outbox has no stream');
    this.parked = parkedQueue(this, props.parked, props.impact);
    Validations.of(this.parked).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'It is a dead-letter queue itself: that of the outbox stream.',
    });
    new EventSourceMapping(this, 'Source', {
      target: props.worker,
      eventSourceArn: tableStreamArn,
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      maxBatchingWindow: Duration.seconds(0),
      parallelizationFactor: 2,
      bisectBatchOnError: true,
      retryAttempts: 20,
      maxRecordAge: Duration.hours(6),
      reportBatchItemFailures: true,
      filters: filtersOf(props),
      onFailure: { bind: () => ({ destination: this.parked.queueArn }) },
    });
    alarm(this, 'Behind', {
      grade: 'wake-up',
      metric: props.worker.metric('IteratorAge', {
        period: Duration.minutes(1),
        statistic: 'Maximum',
      }),
      atLeast: BEHIND_MAX.toMilliseconds(),
      periods: 3,
      impact: props.impactOfLag,
      runbook: 'a-reader-of-the-stream-is-behind',
    });
  }
}

/** Events only: the sort key of an Idempotency-Key's item is not that of a tenant's event. */
function filtersOf({ types }: StreamSourceProps) {
  const Keys = { sk: { S: FilterRule.beginsWith('ten_') } };
  const images = types?.map((it) => ({ NewImage: { type: { S: FilterRule.beginsWith(it) } } }));
  return (images ?? [{}]).map((image) =>
    FilterCriteria.filter({
      eventName: FilterRule.isEqual('INSERT'),
      dynamodb: { Keys, ...image },
    }),
  );
}
