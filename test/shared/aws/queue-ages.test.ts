import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { closeServer } from '../../../local/engines/engine.ts';
import { listenExactly } from '../../../local/http/listen.ts';
import { openRealQueues, type RealQueues } from '../../operations/real-queues.ts';

let queues: RealQueues;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  queues = await openRealQueues();
});
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  await queues.close();
});

const inSeconds = (seconds: number) => vi.setSystemTime(Date.now() + 1_000 * seconds);
const calls = () => queues.asked.length;

describe('the ages of queues, by CloudWatch', () => {
  it('come by one call, those of queues and of their dead letters apart', async () => {
    queues.store.send('tasks', [{ body: '{}' }]);
    inSeconds(40);
    queues.store.send('tasks-parked', [{ body: '{}' }]);
    queues.store.send('unprojected-parked', [{ body: '{}' }]);
    inSeconds(20);

    const found = await queues.queueAges.oldestIn({
      queues: ['tasks', 'inbox'],
      parked: ['tasks', 'unprojected', 'audits'],
    });

    expect([...found.queues]).toEqual([['tasks', 60]]);
    expect([...found.parked]).toEqual([
      ['tasks', 20],
      ['unprojected', 20],
    ]);
    expect(queues.asked).toEqual(['GraniteServiceVersion20100801.GetMetricData']);
  });

  it('cost nothing where none is asked for', async () => {
    expect(await queues.queueAges.oldestIn({ queues: [], parked: [] })).toEqual({
      queues: new Map(),
      parked: new Map(),
    });
    expect(calls()).toBe(0);
  });

  it('are asked for once a minute, because CloudWatch has no newer ones', async () => {
    const ask = async () => {
      const { queues: found } = await queues.queueAges.oldestIn({ queues: ['tasks'], parked: [] });
      return found.get('tasks');
    };
    expect(await ask()).toBeUndefined();
    queues.store.send('tasks', [{ body: '{}' }]);
    inSeconds(45);
    expect(await ask()).toBeUndefined();
    expect(calls()).toBe(1);
    inSeconds(15);
    expect(await ask()).toBe(60);
    inSeconds(45);
    expect(await ask()).toBe(60);
    expect(calls()).toBe(2);
  });

  it('are not believed where CloudWatch says that it has failed, and asked for again', async () => {
    const answers = [
      { Id: 'q0', StatusCode: 'InternalError', Timestamps: [], Values: [] },
      {
        Id: 'q0',
        StatusCode: 'Complete',
        Timestamps: [1_800_000_060, 1_800_000_000],
        Values: [7, 9],
      },
    ];
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify({ MetricDataResults: [answers.shift()] }));
    });
    onTestFinished(() => closeServer(server));
    const address = `http://127.0.0.1:${await listenExactly(server, 0)}`;
    vi.stubEnv('AWS_ENDPOINT_URL_CLOUDWATCH', address);
    const ask = () => queues.queueAges.oldestIn({ queues: ['tasks'], parked: [] });

    await expect(ask()).rejects.toThrow('InternalError');
    expect((await ask()).queues.get('tasks')).toBe(7);
  });

  it('that do not come are an outage, which others may retry', async () => {
    await queues.stop();
    await expect(
      queues.queueAges.oldestIn({ queues: ['tasks'], parked: [] }),
    ).rejects.toMatchObject({ code: 'unavailable' });
  });
});
