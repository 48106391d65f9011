import type { Options } from '../functions/shared/config.ts';
import type { QueueName } from './names.ts';

/** Quotas of an SQS event source: its maximum concurrency is between 2 and 1,000. */
const CONSUMER_MIN = 2;
const CONSUMER_MAX = 1_000;

/** How the consumers divide what the workers may use, in percent. */
const PERCENT: Readonly<Record<QueueName, number>> = {
  'delivery-fast': 34,
  'delivery-slow': 21,
  'endpoint-care': 2,
  'file-blocks': 17,
  'file-care': 3,
  'file-events': 3,
  'hold-expiry': 3,
  tasks: 7,
  inbox: 6,
  sweeps: 2,
  audits: 2,
};

/**
 * How many copies of a queue's consumer may run at once. All of them together stay within
 * `lambdaConcurrency × workerShare`, so that hanging receivers never starve the API.
 */
export function consumersOf(
  queue: QueueName,
  { lambdaConcurrency, workerShare }: Pick<Options, 'lambdaConcurrency' | 'workerShare'>,
): number {
  const shared = Math.floor(lambdaConcurrency * workerShare);
  const spare = shared - CONSUMER_MIN * Object.keys(PERCENT).length;
  if (spare < 0) {
    throw new Error('lambdaConcurrency × workerShare leaves less than two consumers per queue');
  }
  return Math.min(CONSUMER_MAX, CONSUMER_MIN + Math.floor((spare * PERCENT[queue]) / 100));
}
