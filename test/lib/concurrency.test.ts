import { describe, expect, it } from 'vitest';
import type { QueueName } from '../../lib/access.ts';
import { consumersOf } from '../../lib/concurrency.ts';

const QUEUES: readonly QueueName[] = [
  'delivery-fast',
  'delivery-slow',
  'file-blocks',
  'file-care',
  'file-events',
  'hold-expiry',
  'audits',
];

describe('consumersOf', () => {
  // The smallest share is two for each of seven queues, and one less is refused.
  it.each([
    { lambdaConcurrency: 24, workerShare: 0.6, consumers: [2, 2, 2, 2, 2, 2, 2] },
    { lambdaConcurrency: 100, workerShare: 0.6, consumers: [25, 11, 10, 3, 3, 3, 2] },
    { lambdaConcurrency: 1_000, workerShare: 0.6, consumers: [295, 119, 107, 25, 19, 19, 13] },
    {
      lambdaConcurrency: 100_000,
      workerShare: 0.9,
      consumers: [1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000],
    },
  ])('divides $workerShare of $lambdaConcurrency', ({ consumers, ...options }) => {
    expect(QUEUES.map((queue) => consumersOf(queue, options))).toEqual(consumers);
  });

  it('never gives away more than the share', () => {
    for (let lambdaConcurrency = 24; lambdaConcurrency < 2_000; lambdaConcurrency += 13) {
      const options = { lambdaConcurrency, workerShare: 0.6 };
      const sum = QUEUES.reduce((total, queue) => total + consumersOf(queue, options), 0);
      expect(sum).toBeLessThanOrEqual(0.6 * lambdaConcurrency);
    }
  });

  it('refuses a share that leaves a queue without its two consumers', () => {
    const options = { lambdaConcurrency: 99, workerShare: 0.1 };
    expect(() => consumersOf('file-care', options)).toThrow('less than two consumers per queue');
  });
});
