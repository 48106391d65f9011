import type { ParkedName, QueueName } from './world.ts';

/** What CloudWatch knows of queues, and SQS itself tells nobody. */
export interface QueueAges {
  /**
   * How many seconds old the oldest message of each was when CloudWatch last looked, which is up to
   * three minutes ago; of dead letters since they were parked. Without those in which it has seen
   * none for five minutes. What it sees new within a minute is not asked for.
   */
  oldestIn(asked: {
    readonly queues: readonly QueueName[];
    readonly parked: readonly ParkedName[];
  }): Promise<{
    readonly queues: ReadonlyMap<QueueName, number>;
    readonly parked: ReadonlyMap<ParkedName, number>;
  }>;
}
