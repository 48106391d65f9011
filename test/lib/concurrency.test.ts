import { describe, expect, it } from 'vitest';
import { consumersOf } from '../../lib/concurrency.ts';
import type { QueueName } from '../../lib/names.ts';

const QUEUES: readonly QueueName[] = [
  'delivery-fast',
  'delivery-slow',
  'endpoint-care',
  'file-blocks',
  'file-care',
  'file-events',
  'hold-expiry',
  'tasks',
  'inbox',
  'audits',
  'sweeps',
];

describe('consumersOf', () => {
  it.each([
    { lambdaConcurrency: 37, workerShare: 0.6, consumers: [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2] },
    { lambdaConcurrency: 100, workerShare: 0.6, consumers: [14, 9, 2, 8, 3, 3, 3, 4, 4, 2, 2] },
    {
      lambdaConcurrency: 1_000,
      workerShare: 0.6,
      consumers: [198, 123, 13, 100, 19, 19, 19, 42, 36, 13, 13],
    },
    {
      lambdaConcurrency: 100_000,
      workerShare: 0.9,
      consumers: Array<number>(11).fill(1_000),
    },
  ])('divides $workerShare of $lambdaConcurrency', ({ consumers, ...options }) => {
    expect(QUEUES.map((queue) => consumersOf(queue, options))).toEqual(consumers);
  });

  it('never gives away more than the share', () => {
    for (let lambdaConcurrency = 40; lambdaConcurrency < 2_000; lambdaConcurrency += 13) {
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
