import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { consumersOf } from '../concurrency.ts';
import type { QueueName } from '../names.ts';
import { alarm } from './alarm.ts';
import type { NodeFunction } from './node-function.ts';
import type { Settings } from './settings.ts';

export interface WorkQueueProps {
  readonly name: QueueName;
  readonly settings: Settings;
  readonly worker: NodeFunction;
  /** Messages that one invocation gets at most. */
  readonly batchSize: number;
  /** Instead of six timeouts. Only where a second copy of the worker is refused by a lease. */
  readonly visibility?: Duration;
  /** How long a message waits before it is given up: 4 days unless said otherwise. */
  readonly retention?: Duration;
  /** What a customer notices while messages are parked. Printed in the alarm. */
  readonly impact: string;
}

/** A message that our code failed on this often is parked: it is a bug or a broken message. */
const RECEIVES_MAX = 5;

/** A queue, its worker and its dead-letter queue: the only way a message waits in Tallyhook. */
export class WorkQueue extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id);
    const { worker } = props;
    const parked = parkedQueue(this, 'Parked', props.impact);
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // AWS asks for six times the timeout, so that a retry never overlaps a running worker.
      visibilityTimeout: props.visibility ?? Duration.seconds(6 * worker.timeoutSeconds),
      deadLetterQueue: { queue: parked, maxReceiveCount: RECEIVES_MAX },
      ...(props.retention && { retentionPeriod: props.retention }),
    });
    new EventSourceMapping(this, 'Source', {
      target: worker,
      eventSourceArn: this.queue.queueArn,
      batchSize: props.batchSize,
      reportBatchItemFailures: true,
      maxConcurrency: consumersOf(props.name, props.settings.options),
    });
  }
}

/** A queue for what our code could not handle, with an alarm at its first message. */
export function parkedQueue(scope: Construct, id: string, impact: string): Queue {
  const parked = new Queue(scope, id, {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    // The longest that SQS keeps a message, so that a person has time to look.
    retentionPeriod: Duration.days(14),
  });
  alarm(scope, `${id}Alarm`, {
    metric: parked.metricApproximateNumberOfMessagesVisible({
      period: Duration.minutes(1),
      statistic: 'Maximum',
    }),
    grade: 'look-tomorrow',
    impact,
    runbook: 'a-dead-letter-queue-is-not-empty',
  });
  return parked;
}
