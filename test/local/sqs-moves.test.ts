import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CancelMessageMoveTaskCommand,
  ListMessageMoveTasksCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';
import { sqsServer } from '../../local/sqs/server.ts';
import { QUEUE_ARN_PREFIX, QueueStore } from '../../local/sqs/store.ts';
import { until } from '../support/until.ts';

const arn = (queue: string) => `${QUEUE_ARN_PREFIX}${queue}`;
/** At one a second this takes longer than any machine takes for the test. */
const MANY = 100;
const SourceArn = arn('parked');

let dir: string;
let store: QueueStore;
let server: Server;
let sqs: SQSClient;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sqs-moves-'));
  store = new QueueStore(join(dir, 'sqs.db'));
  store.createQueue('parked', {});
  for (const name of ['work', 'other']) {
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: SourceArn, maxReceiveCount: 1 });
    store.createQueue(name, { RedrivePolicy });
  }
  server = sqsServer(store);
  const endpoint = `http://127.0.0.1:${await listenExactly(server, 0)}`;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  sqs = new SQSClient({ endpoint, region: 'us-east-1', credentials });
});

afterEach(async () => {
  sqs.destroy();
  await closeServer(server);
  store.close();
  rmSync(dir, { recursive: true });
});

function park(queue: string, ...bodies: readonly string[]): void {
  store.send(
    queue,
    bodies.map((body) => ({ body })),
  );
  store.receive(queue, bodies.length, 0);
  store.receive(queue, 1, 0);
}

const ready = (queue: string) => Number(store.attributes(queue).ApproximateNumberOfMessages);
const start = (order: object = {}) =>
  sqs.send(new StartMessageMoveTaskCommand({ SourceArn, ...order }));
const tasks = async () => {
  const { Results = [] } = await sqs.send(
    new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 10 }),
  );
  return Results;
};

it('moves each dead letter back to where it came from, as a new message', async () => {
  park('work', 'a');
  park('other', 'b', 'c');
  const [looked] = store.receive('parked', 1, 0);

  await start();

  const moved = store.receive('work', 10, 60);
  expect(moved).toMatchObject([{ body: 'a', receives: 1 }]);
  expect(moved[0]?.message_id).not.toBe(looked?.message_id);
  expect([ready('other'), ready('parked')]).toEqual([2, 0]);
  expect(await tasks()).toMatchObject([
    {
      Status: 'COMPLETED',
      ApproximateNumberOfMessagesMoved: 3,
      ApproximateNumberOfMessagesToMove: 3,
    },
  ]);
});

it('moves them to another queue when told so', async () => {
  park('work', 'a');
  await start({ DestinationArn: arn('other') });
  expect([ready('work'), ready('other')]).toEqual([0, 1]);
});

it('moves no more a second than was asked for, one task at a time, until its end', async () => {
  park('work', ...Array.from({ length: MANY }, (_, n) => `${n}`));
  const startedMs = Date.now();
  const { TaskHandle } = await start({ MaxNumberOfMessagesPerSecond: 1 });
  await expect(start()).rejects.toThrow('already a task running');
  expect(await tasks()).toMatchObject([{ Status: 'RUNNING', TaskHandle }]);

  await until(
    () => ready('work'),
    (it) => it >= 2,
  );
  expect(Date.now() - startedMs).toBeGreaterThanOrEqual(1_000);
  const cancelled = await sqs.send(new CancelMessageMoveTaskCommand({ TaskHandle }));

  expect(cancelled.ApproximateNumberOfMessagesMoved).toBe(ready('work'));
  expect(ready('work') + ready('parked')).toBe(MANY);
  expect(await tasks()).toMatchObject([{ Status: 'CANCELLED' }]);
  await start();
  expect(ready('parked')).toBe(0);
  expect(await tasks()).toMatchObject([{ Status: 'COMPLETED' }, { Status: 'CANCELLED' }]);
});

it('cannot move what was sent to the dead-letter queue by hand', async () => {
  store.send('parked', [{ body: 'a' }]);
  await start();
  expect(await tasks()).toMatchObject([
    { Status: 'FAILED', FailureReason: 'CouldNotDetermineMessageSource' },
  ]);
  expect(ready('parked')).toBe(1);
});

it('refuses a queue that parks for nobody, one that is not there, and an absurd rate', async () => {
  await expect(start({ SourceArn: arn('work') })).rejects.toThrow('Dead Letter Queue');
  await expect(start({ SourceArn: arn('none') })).rejects.toThrow('no queue');
  await expect(start({ MaxNumberOfMessagesPerSecond: 501 })).rejects.toThrow('1 to 500');
});
