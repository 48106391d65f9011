import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { closeServer } from '../../local/engines/engine.ts';
import { startSqsSource } from '../../local/event-sources/sqs.ts';
import { listenExactly } from '../../local/http/listen.ts';
import type { InvokeResult } from '../../local/lambda/instance.ts';
import { sqsServer } from '../../local/sqs/server.ts';
import { QUEUE_ARN_PREFIX, QueueStore } from '../../local/sqs/store.ts';
import { eventually, until } from '../support/until.ts';

let dir: string;
let nowMs: number;
let store: QueueStore;

const openStore = () => new QueueStore(join(dir, 'sqs.db'), () => nowMs);
const redrive = (maxReceiveCount: number) =>
  JSON.stringify({ deadLetterTargetArn: `${QUEUE_ARN_PREFIX}parked`, maxReceiveCount });

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sqs-test-'));
  nowMs = 1_000_000;
  store = openStore();
  store.createQueue('parked', {});
  store.createQueue('work', { VisibilityTimeout: '30', RedrivePolicy: redrive(2) });
});

afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

/** What a kill leaves: the file as it is, opened by somebody else. */
function reopen(): void {
  store.close();
  store = openStore();
}

const bodies = (queue = 'work', max = 10) => store.receive(queue, max).map(({ body }) => body);

describe('QueueStore', () => {
  it('hands a message to one receiver, until its visibility is over', () => {
    store.send('work', [{ body: 'a' }]);
    expect(bodies()).toEqual(['a']);
    nowMs += 29_999;
    expect(bodies()).toEqual([]);
    nowMs += 1;
    expect(bodies()).toEqual(['a']);
  });

  it('keeps delays, receipts and counts over a restart', () => {
    store.send('work', [{ body: 'later', delaySeconds: 900 }, { body: 'now' }]);
    const [received] = store.receive('work', 10);
    reopen();
    expect(bodies()).toEqual([]);
    nowMs += 30_000;
    expect(store.receive('work', 10)).toMatchObject([{ body: 'now', receives: 2 }]);
    store.remove('work', received?.receipt ?? '');
    nowMs += 869_999;
    expect(bodies()).toEqual([]);
    nowMs += 1;
    expect(bodies()).toEqual(['later']);
  });

  it('forgets a message only by its newest receipt', () => {
    store.send('work', [{ body: 'a' }]);
    const [first] = store.receive('work', 1, 0);
    const [second] = store.receive('work', 1, 60);
    store.remove('work', first?.receipt ?? '');
    expect(store.attributes('work')).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '1' });
    store.remove('work', second?.receipt ?? '');
    expect(store.attributes('work')).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '0' });
  });

  it('parks a message that was received too often, and moves it back when asked', () => {
    store.send('work', [{ body: 'bad' }]);
    store.receive('work', 1, 0);
    store.receive('work', 1, 0);
    expect(bodies()).toEqual([]);
    expect(store.receive('parked', 1, 0)).toMatchObject([{ body: 'bad', receives: 1 }]);
    expect(store.moveReady('parked', { max: 10 })).toBe(1);
    expect(bodies()).toEqual(['bad']);
  });

  it('serves groups alike, however much one of them has sent', () => {
    const from = (group: string, count: number) =>
      Array.from({ length: count }, (_, i) => ({ body: `${group}${i}`, group }));
    store.send('work', from('loud', 50));
    expect(bodies('work', 2)).toEqual(['loud0', 'loud1']);
    reopen();
    store.send('work', [...from('calm', 2), { body: 'alone' }]);
    expect(bodies('work', 6)).toEqual(['loud2', 'calm0', 'alone', 'loud3', 'calm1', 'loud4']);
  });

  it('knows when something can be received next', () => {
    expect(store.nextInMs('work')).toBeUndefined();
    store.send('work', [{ body: 'a', delaySeconds: 5 }]);
    nowMs += 2_000;
    expect(store.nextInMs('work')).toBe(3_000);
  });

  it('forgets messages that are older than their queue keeps them', () => {
    store.createQueue('short', { MessageRetentionPeriod: '60' });
    store.send('short', [{ body: 'a' }]);
    nowMs += 60_000;
    store.expire();
    expect(bodies('short')).toEqual(['a']);
    nowMs += 1;
    store.expire();
    expect(store.attributes('short')).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '0' });
  });
});

describe('over HTTP', () => {
  let server: Server;
  let sqs: SQSClient;
  let endpoint: string;
  let QueueUrl: string;

  beforeEach(async () => {
    nowMs = Date.now();
    server = sqsServer(store);
    endpoint = `http://127.0.0.1:${await listenExactly(server, 0)}`;
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    sqs = new SQSClient({ endpoint, region: 'us-east-1', credentials });
    QueueUrl = `${endpoint}/000000000000/work`;
  });

  afterEach(async () => {
    sqs.destroy();
    await closeServer(server);
  });

  it('speaks with the SDK', async () => {
    const made = await sqs.send(new CreateQueueCommand({ QueueName: 'new' }));
    expect(made.QueueUrl).toBe(`${endpoint}/000000000000/new`);
    const MessageAttributes = { a: { DataType: 'String', StringValue: 'x' } };
    const message = { QueueUrl, MessageBody: 'é', MessageGroupId: 'g', MessageAttributes };
    await sqs.send(new SendMessageCommand(message));
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MessageSystemAttributeNames: ['All'] }),
    );
    expect(Messages).toMatchObject([
      {
        Body: 'é',
        MessageAttributes,
        Attributes: { MessageGroupId: 'g', ApproximateReceiveCount: '1' },
      },
    ]);
    const ReceiptHandle = Messages[0]?.ReceiptHandle;
    const visibility = { QueueUrl, ReceiptHandle, VisibilityTimeout: 0 };
    await sqs.send(new ChangeMessageVisibilityCommand(visibility));
    const [again] = store.receive('work', 1);
    const Entries = [{ Id: '0', ReceiptHandle: again?.receipt }];
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    expect(Attributes).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '0' });
  });

  it('takes a batch of a megabyte, and not a byte more', async () => {
    const batch = (bytes: number) => {
      const Entries = [0, 1].map((i) => ({ Id: `${i}`, MessageBody: 'x'.repeat(bytes / 2) }));
      return sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    };
    expect((await batch(1_048_576)).Successful).toHaveLength(2);
    await expect(batch(1_048_578)).rejects.toThrow('at most 1048576 bytes');
  });

  it('refuses a queue that is not there and a delay beyond 15 minutes', async () => {
    const send = (queue: string, DelaySeconds: number) =>
      sqs.send(
        new SendMessageCommand({
          QueueUrl: `${endpoint}/0/${queue}`,
          MessageBody: 'x',
          DelaySeconds,
        }),
      );
    await expect(send('nowhere', 0)).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
    await expect(send('work', 901)).rejects.toThrow('0 to 900');
    await expect(send('work', 900)).resolves.toBeDefined();
  });

  it.each(['\u0000', '\u000b', '\ufffe', '\uffff'])(
    'refuses %j in a message',
    async (character) => {
      const send = (MessageBody: string) =>
        sqs.send(new SendMessageCommand({ QueueUrl: `${endpoint}/0/work`, MessageBody }));
      const refusal = { name: 'InvalidMessageContents' };
      await expect(send(`a${character}`)).rejects.toMatchObject(refusal);
      await expect(send('\t\n\r \u007f\ud7ff\ue000\ufffd\u{1f600}')).resolves.toBeDefined();
    },
  );

  it('wakes a long poll at once', async () => {
    // Its time is never over: whoever waits has to be woken.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const polled = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x' }));
    expect((await polled).Messages).toHaveLength(1);
  });

  it('empties a queue, and moves dead letters back', async () => {
    store.send('work', [{ body: 'a' }, { body: 'b', delaySeconds: 5 }]);
    await sqs.send(new PurgeQueueCommand({ QueueUrl }));
    expect(store.attributes('work')).toMatchObject({ ApproximateNumberOfMessagesDelayed: '0' });
    store.send('work', [{ body: 'c' }]);
    for (const _ of [1, 2, 3]) store.receive('work', 1, 0);
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: `${QUEUE_ARN_PREFIX}parked` }));
    expect(bodies()).toEqual(['c']);
  });

  describe('an event source', () => {
    const spec = {
      queueArn: `${QUEUE_ARN_PREFIX}work`,
      batchSize: 10,
      windowMs: 0,
      concurrencyMax: 2,
      reportsFailures: true,
    };
    const log = {
      file: '',
      line: () => {},
      say: () => {},
      follow: () => {},
      close: async () => {},
    };
    interface Batch {
      readonly Records: readonly { body: string; messageId: string; attributes: object }[];
    }

    function start(answer: (batch: Batch) => InvokeResult | Promise<InvokeResult>, more = {}) {
      const seen: string[][] = [];
      const invoke = async (event: unknown) => {
        const batch = event as Batch;
        seen.push(batch.Records.map(({ body }) => body));
        return answer(batch);
      };
      const source = startSqsSource(
        { ...spec, queueUrl: QueueUrl, ...more },
        { endpoint, invoke, log },
      );
      return { seen, source };
    }
    const failing =
      (names: readonly string[]) =>
      ({ Records }: Batch): InvokeResult => ({
        ok: true,
        result: {
          batchItemFailures: Records.filter(({ body }) => names.includes(body)).map(
            ({ messageId }) => ({ itemIdentifier: messageId }),
          ),
        },
      });
    const counts = () => {
      const { ApproximateNumberOfMessages: ready, ApproximateNumberOfMessagesNotVisible: flying } =
        store.attributes('work');
      return `${ready} ready, ${flying} in flight`;
    };

    it('keeps what failed and forgets what was done', async () => {
      store.send('work', [{ body: 'good' }, { body: 'bad' }]);
      const { seen, source } = start(failing(['bad']));
      await eventually(() => expect(counts()).toBe('0 ready, 1 in flight'));
      expect(seen).toEqual([['good', 'bad']]);
      await source.stop();
    });

    it.each([
      [
        'the function fails',
        { ok: false, failure: { errorType: 'E', errorMessage: 'e' } } as const,
      ],
      [
        'it names a stranger',
        { ok: true, result: { batchItemFailures: [{ itemIdentifier: 'x' }] } } as const,
      ],
    ])('keeps everything when %s', async (_, result) => {
      store.send('work', [{ body: 'a' }, { body: 'b' }]);
      const { seen, source } = start(() => result);
      await eventually(() => expect(seen).toHaveLength(1));
      await source.stop();
      expect(counts()).toBe('0 ready, 2 in flight');
    });

    it('parks what failed as often as the queue allows', async () => {
      store.send('work', [{ body: 'bad' }]);
      const { seen, source } = start(failing(['bad']));
      await eventually(() => expect(seen).toHaveLength(1));
      nowMs += 30_000;
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'wakes' }));
      await eventually(() => expect(seen.flat()).toEqual(['bad', 'bad', 'wakes']));
      nowMs += 30_000;
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'last' }));
      await eventually(() => expect(seen.flat()).toContain('last'));
      expect(bodies('parked')).toEqual(['bad']);
      await source.stop();
    });

    it('runs no more batches at once than the template says', async () => {
      let running = 0;
      const most: number[] = [];
      const ends: (() => void)[] = [];
      const { seen, source } = start(
        async () => {
          running += 1;
          most.push(running);
          await new Promise<void>((resolve) => ends.push(resolve));
          running -= 1;
          return { ok: true, result: null };
        },
        { batchSize: 1 },
      );
      store.send(
        'work',
        Array.from({ length: 5 }, (_, i) => ({ body: `${i}` })),
      );
      for (let left = 5; left > 0; left -= 1) {
        await until(
          () => running,
          (it) => it === Math.min(2, left),
        );
        ends.shift()?.();
        await new Promise(setImmediate);
      }
      expect(seen).toHaveLength(5);
      expect(Math.max(...most)).toBe(2);
      await eventually(() => expect(counts()).toBe('0 ready, 0 in flight'));
      await source.stop();
    });

    it('fills a batch for as long as its window', async () => {
      const { seen, source } = start(failing([]), { windowMs: 60_000, batchSize: 3 });
      for (const body of ['a', 'b', 'c']) {
        await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body }));
      }
      await eventually(() => expect(seen).toEqual([['a', 'b', 'c']]));
      await source.stop();
    });

    it('waits no longer than its window, also where that is a part of a second', async () => {
      // No long poll ends by itself, and the shortest there is would be ten windows.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      onTestFinished(() => void vi.useRealTimers());
      const { seen, source } = start(failing([]), { windowMs: 100 });
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'a' }));
      await eventually(() => expect(seen).toEqual([['a']]));
      await source.stop();
    });
  });
});
