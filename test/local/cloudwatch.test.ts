import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudWatchClient,
  GetMetricDataCommand,
  ListMetricsCommand,
} from '@aws-sdk/client-cloudwatch';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../local/database.ts';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';
import { sqsServer } from '../../local/sqs/server.ts';
import { QUEUE_ARN_PREFIX, QueueStore } from '../../local/sqs/store.ts';

let dir: string;
let nowMs: number;
let store: QueueStore;

const openStore = () => new QueueStore(join(dir, 'sqs.db'), () => nowMs);
const inSeconds = (seconds: number) => {
  nowMs += 1_000 * seconds;
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudwatch-test-'));
  nowMs = Date.now();
  store = openStore();
  store.createQueue('parked', {});
  const deadLetterTargetArn = `${QUEUE_ARN_PREFIX}parked`;
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 });
  store.createQueue('work', { RedrivePolicy });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

describe('the age of the oldest message of a queue', () => {
  const age = (queue = 'work') => store.oldestAgeSeconds(queue);

  it('counts from when it was sent until it is deleted, in hands or not', () => {
    expect(age()).toBeUndefined();
    store.send('work', [{ body: 'first' }]);
    inSeconds(60);
    store.send('work', [{ body: 'second' }]);
    inSeconds(30);
    expect(age()).toBe(90);
    const [first] = store.receive('work', 1);
    expect(age()).toBe(90);
    store.remove('work', first?.receipt ?? '');
    expect(age()).toBe(30);
  });

  it('is not that of a message whose time has not come', () => {
    store.send('work', [{ body: 'later', delaySeconds: 900 }]);
    inSeconds(899);
    expect(age()).toBeUndefined();
    inSeconds(1);
    expect(age()).toBe(900);
  });

  it('is not that of a message that was received three times, as SQS has it', () => {
    store.createQueue('work', { RedrivePolicy: '' });
    store.send('work', [{ body: 'bad' }]);
    inSeconds(60);
    store.send('work', [{ body: 'good' }]);
    inSeconds(60);
    for (let n = 0; n < 2; n += 1) store.receive('work', 1, 0);
    expect(age()).toBe(120);
    store.receive('work', 1, 0);
    expect(age()).toBe(60);
  });

  it('counts among dead letters from when it came there, and anew when it is moved back', () => {
    store.send('work', [{ body: 'bad' }]);
    store.receive('work', 1, 0);
    store.receive('work', 1, 0);
    inSeconds(3_600);
    store.receive('work', 1);
    expect(age()).toBeUndefined();
    inSeconds(60);
    expect(age('parked')).toBe(60);
    store.moveReady('parked', { target: 'work', max: 1 });
    inSeconds(5);
    expect(age()).toBe(5);
  });

  it('goes on over a restart', () => {
    store.send('work', [{ body: 'kept' }]);
    inSeconds(60);
    store.close();
    store = openStore();
    inSeconds(60);
    expect(age()).toBe(120);
  });

  it('is known of messages that an earlier version has kept', () => {
    store.send('work', [{ body: 'kept' }]);
    store.close();
    const db = openDatabase(join(dir, 'sqs.db'), 'ALTER TABLE messages DROP COLUMN arrived_ms');
    db.close();
    store = openStore();
    inSeconds(60);
    expect(age()).toBe(60);
  });
});

describe('GetMetricData', () => {
  let server: Server;
  let client: CloudWatchClient;

  beforeEach(async () => {
    server = sqsServer(store);
    const endpoint = `http://127.0.0.1:${await listenExactly(server, 0)}`;
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    client = new CloudWatchClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  });
  afterEach(async () => {
    client.destroy();
    await closeServer(server);
  });

  const queryOf = (queue: string, Id = 'a', MetricName = 'ApproximateAgeOfOldestMessage') => ({
    Id,
    MetricStat: {
      Metric: {
        Namespace: 'AWS/SQS',
        MetricName,
        Dimensions: [{ Name: 'QueueName', Value: queue }],
      },
      Period: 60,
      Stat: 'Maximum',
    },
  });

  const lastMinutes = (minutes: number) => ({
    StartTime: new Date(nowMs - 60_000 * minutes),
    EndTime: new Date(nowMs),
  });

  const ask = (queries: readonly ReturnType<typeof queryOf>[], time = lastMinutes(5)) =>
    client.send(new GetMetricDataCommand({ MetricDataQueries: [...queries], ...time }));

  it('answers a value of this minute for each queue with messages, and else none', async () => {
    store.send('work', [{ body: 'x' }]);
    inSeconds(200);
    const { MetricDataResults } = await ask([
      queryOf('work', 'a'),
      queryOf('parked', 'b'),
      queryOf('nobodys', 'c'),
    ]);
    const Timestamps = [new Date(60_000 * (Math.ceil(nowMs / 60_000) - 1))];
    const nothing = { Timestamps: [], Values: [], StatusCode: 'Complete' };
    expect(MetricDataResults).toMatchObject([
      { Id: 'a', Timestamps, Values: [200], StatusCode: 'Complete' },
      { Id: 'b', ...nothing },
      { Id: 'c', ...nothing },
    ]);
  });

  it('answers who asks until now, also when a minute begins in the middle', async () => {
    store.send('work', [{ body: 'x' }]);
    nowMs = 60_000 * Math.ceil(nowMs / 60_000 + 1);
    const last = new Date(nowMs - 60_000);
    const time = lastMinutes(5);
    const found = { Timestamps: [last], Values: [expect.any(Number)] };
    expect((await ask([queryOf('work')], time)).MetricDataResults).toMatchObject([found]);
    inSeconds(5);
    expect((await ask([queryOf('work')], time)).MetricDataResults).toMatchObject([found]);
  });

  it('has no value of a time that is over', async () => {
    store.send('work', [{ body: 'x' }]);
    inSeconds(200);
    const hour = { StartTime: new Date(nowMs - 7_200_000), EndTime: new Date(nowMs - 3_600_000) };
    expect((await ask([queryOf('work')], hour)).MetricDataResults).toMatchObject([{ Values: [] }]);
  });

  it.each([
    ['no query', [], {}],
    ['two queries of one id', [queryOf('work'), queryOf('parked')], {}],
    ['an id with a capital', [queryOf('work', 'A')], {}],
    ['a time that ends before it begins', [queryOf('work')], { EndTime: new Date(0) }],
  ])('refuses %s, as CloudWatch does', async (_, queries, time) => {
    await expect(ask(queries, { ...lastMinutes(5), ...time })).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });

  it.each([
    ['another metric', queryOf('work', 'a', 'NumberOfMessagesSent')],
    [
      'another period',
      { ...queryOf('work'), MetricStat: { ...queryOf('work').MetricStat, Period: 300 } },
    ],
    [
      'another statistic',
      { ...queryOf('work'), MetricStat: { ...queryOf('work').MetricStat, Stat: 'p99' } },
    ],
    ['an expression', { Id: 'a', Expression: 'SUM(METRICS())' } as never],
  ])('refuses %s in words, because it has nothing else', async (_, query) => {
    await expect(ask([query])).rejects.toThrow('The local CloudWatch');
  });

  it('refuses what it does not know', async () => {
    await expect(client.send(new ListMetricsCommand({}))).rejects.toThrow(
      'The local CloudWatch does not know "ListMetrics".',
    );
  });
});
