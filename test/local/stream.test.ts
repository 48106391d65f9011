import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Activity } from '../../local/activity.ts';
import { callAws } from '../../local/aws-call.ts';
import { startDynamo } from '../../local/engines/dynamodb.ts';
import type { Engine } from '../../local/engines/engine.ts';
import { ensureTable } from '../../local/engines/tables.ts';
import { Checkpoints } from '../../local/event-sources/checkpoints.ts';
import type { EventSource } from '../../local/event-sources/sqs.ts';
import { type StreamSourceSpec, startStreamSource } from '../../local/event-sources/stream.ts';
import { deliver, pauseMs, type StreamRecord } from '../../local/event-sources/stream-batch.ts';
import { Lanes } from '../../local/event-sources/stream-lanes.ts';
import type { InvokeResult } from '../../local/lambda/instance.ts';
import { openState, type State } from '../../local/state.ts';
import type { Resource } from '../../local/template.ts';
import { eventually } from '../support/until.ts';

const FAILED: InvokeResult = { ok: false, failure: { errorType: 'E', errorMessage: 'e' } };
const DONE: InvokeResult = { ok: true, result: null };
const failedFrom = (...ids: string[]): InvokeResult => ({
  ok: true,
  result: { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) },
});

const nowSeconds = () => Date.now() / 1_000;
const record = (SequenceNumber: string, key = SequenceNumber, at = nowSeconds()): StreamRecord => ({
  eventName: 'INSERT',
  dynamodb: { SequenceNumber, Keys: { pk: { S: key } }, ApproximateCreationDateTime: at },
});
const numbers = (records: readonly StreamRecord[]) =>
  records.map(({ dynamodb }) => dynamodb.SequenceNumber).join('');

describe('deliver', () => {
  const rules = { bisects: false, retriesMax: -1, ageSecondsMax: -1, reportsFailures: true };

  /** Delivers a, b, c and d to a function; answers its batches and what was given up. */
  async function run(answer: (batch: string, call: number) => InvokeResult, more = {}) {
    const batches: string[] = [];
    const lost: string[] = [];
    const isDone = await deliver(
      ['a', 'b', 'c', 'd'].map((it) => record(it)),
      { ...rules, ...more },
      {
        signal: new AbortController().signal,
        pauseMs: () => 0,
        invoke: async (records) => answer(numbers(records), batches.push(numbers(records))),
        giveUp: async (records, reason) => void lost.push(`${numbers(records)} ${reason}`),
      },
    );
    return { batches: batches.join(' '), lost, isDone };
  }

  it('is done when the function is', async () => {
    expect(await run(() => DONE)).toEqual({ batches: 'abcd', lost: [], isDone: true });
  });

  it('tries a failed batch again as it was', async () => {
    const { batches } = await run((_, call) => (call < 3 ? FAILED : DONE));
    expect(batches).toBe('abcd abcd abcd');
  });

  it('goes on from the first record that the function names', async () => {
    const { batches } = await run((_, call) => (call === 1 ? failedFrom('d', 'c') : DONE));
    expect(batches).toBe('abcd cd');
  });

  it.each([[['x']], [['x', 'd']]])(
    'takes an unknown record for a failure of the batch: %j',
    async (ids) => {
      const { batches } = await run((_, call) => (call === 1 ? failedFrom(...ids) : DONE));
      expect(batches).toBe('abcd abcd');
    },
  );

  it('does not look at the answer where the template does not say so', async () => {
    const { batches } = await run(() => failedFrom('a'), { reportsFailures: false });
    expect(batches).toBe('abcd');
  });

  it.each([
    [0, 'abcd'],
    [2, 'abcd abcd abcd'],
  ])('gives a batch up after %i retries', async (retriesMax, batches) => {
    const lost = ['abcd RetryAttemptsExhausted'];
    expect(await run(() => FAILED, { retriesMax })).toEqual({ batches, lost, isDone: true });
  });

  it('splits a batch until the bad record stands alone, and loses that one only', async () => {
    const answer = (batch: string) => (batch.includes('c') ? FAILED : DONE);
    expect(await run(answer, { bisects: true, retriesMax: 1 })).toEqual({
      batches: 'abcd ab cd c c d',
      lost: ['c RetryAttemptsExhausted'],
      isDone: true,
    });
  });

  it('splits what is left after progress', async () => {
    const answer = (batch: string) => (batch.includes('b') ? failedFrom('b') : DONE);
    expect(await run(answer, { bisects: true, retriesMax: 0 })).toEqual({
      batches: 'abcd bc b c d',
      lost: ['b RetryAttemptsExhausted'],
      isDone: true,
    });
  });

  it('gives up records that are too old, and delivers the others', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const lost: string[] = [];
    const batches: string[] = [];
    const records = [record('a', 'a', nowSeconds() - 61), record('b', 'b', nowSeconds() - 59)];
    await deliver(
      records,
      { ...rules, ageSecondsMax: 60 },
      {
        signal: new AbortController().signal,
        pauseMs: () => 0,
        invoke: async (it) => {
          batches.push(numbers(it));
          return DONE;
        },
        giveUp: async (it, reason) => void lost.push(`${numbers(it)} ${reason}`),
      },
    );
    expect([batches, lost]).toEqual([['b'], ['a RecordAgeExceeded']]);
  });

  it('is not done when it was stopped before the function managed', async () => {
    const stopping = new AbortController();
    const isDone = await deliver([record('a')], rules, {
      signal: stopping.signal,
      pauseMs: () => 60_000,
      invoke: async () => {
        stopping.abort();
        return FAILED;
      },
      giveUp: async () => expect.fail('nothing is given up by a stop'),
    });
    expect(isDone).toBe(false);
  });

  it.each([
    [1, 100],
    [2, 200],
    [7, 6_400],
    [8, 10_000],
    [20, 10_000],
  ])('pauses after failure %i for %i ms', (failures, ms) => expect(pauseMs(failures)).toBe(ms));
});

describe('Lanes', () => {
  function open(lanes: number, batchSize: number) {
    const running = new Map<string, (isDone: boolean) => void>();
    const passed: string[] = [];
    const tools = {
      deliver: (records: readonly StreamRecord[]) =>
        new Promise<boolean>((resolve) => running.set(numbers(records), resolve)),
      checkpoint: (sequenceNumber: string) => void passed.push(sequenceNumber),
    };
    const end = async (batch: string, isDone = true) => {
      running.get(batch)?.(isDone);
      running.delete(batch);
      await new Promise(setImmediate);
    };
    return { lanes: new Lanes(lanes, batchSize, tools), running, passed, end };
  }
  const all = () => true;

  it('keeps the records of one item in order, batch after batch', async () => {
    const { lanes, running, passed, end } = open(4, 2);
    lanes.push(
      ['1', '2', '3'].map((it) => record(it, 'same')),
      all,
    );
    expect([...running.keys()]).toEqual(['12']);
    await end('12');
    expect([...running.keys()]).toEqual(['3']);
    await end('3');
    expect(passed).toEqual(['2', '3']);
  });

  it('never passes a record that is not done, though later ones are', async () => {
    const { lanes, running, passed, end } = open(8, 10);
    lanes.push(
      ['1', '2', '3', '4', '5', '6', '7', '8', '9'].map((it) => record(it)),
      all,
    );
    const first = [...running.keys()].find((batch) => batch.includes('1')) ?? '';
    expect(running.size).toBeGreaterThan(1);
    for (const batch of [...running.keys()]) if (batch !== first) await end(batch);
    expect(passed).toEqual([]);
    await end(first);
    expect(passed).toEqual(['9']);
    expect(lanes.size).toBe(0);
  });

  it('passes records that are not wanted', () => {
    const { lanes, running, passed } = open(1, 10);
    lanes.push([record('1'), record('2')], () => false);
    expect([running.size, passed]).toEqual([0, ['1', '2']]);
  });

  it('stops a lane with what was not done', async () => {
    const { lanes, passed, end } = open(1, 1);
    lanes.push([record('1'), record('2')], all);
    await end('1');
    await end('2', false);
    await lanes.settled();
    expect(passed).toEqual(['1']);
  });
});

describe('a stream source on the engine', () => {
  let dir: string;
  let state: State;
  let engine: Engine;
  const sources: EventSource[] = [];
  const log = { file: '', line: () => {}, say: () => {}, follow: () => {}, close: async () => {} };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'stream-test-'));
    state = openState(dir, false);
    engine = await startDynamo({ state, log, wantedPort: 0, giveUp: expect.fail });
  });
  afterEach(async () => void (await Promise.all(sources.splice(0).map((it) => it.stop()))));
  afterAll(async () => {
    await engine.stop();
    state.release();
    rmSync(dir, { recursive: true });
  });

  async function makeTable(name: string) {
    const table: Resource = {
      id: name,
      type: 'AWS::DynamoDB::GlobalTable',
      properties: {
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        StreamSpecification: { StreamViewType: 'NEW_IMAGE' },
      },
    };
    const streamArn = String(await ensureTable(engine.endpoint, table, false));
    const put = (pk: string) =>
      callAws({ endpoint: engine.endpoint, service: 'dynamodb' }, 'PutItem', {
        TableName: `Tallyhook-${name}`,
        Item: { pk: { S: pk } },
      });
    return { streamArn, put };
  }

  interface Started extends StreamSourceSpec {
    readonly checkpoints: Checkpoints;
  }

  interface Batch {
    readonly Records: readonly {
      eventSourceARN: string;
      dynamodb: { NewImage: { pk: { S: string } } };
    }[];
  }

  function start(
    streamArn: string,
    answer: (keys: string[]) => InvokeResult,
    { checkpoints = new Checkpoints(join(dir, 'streams.json')), ...more }: Partial<Started> = {},
  ) {
    const seen: string[] = [];
    const lost: object[] = [];
    const spec = {
      id: 'Source',
      functionArn: 'arn:function',
      streamArn,
      batchSize: 10,
      windowMs: 0,
      lanes: 1,
      startsAt: 'TRIM_HORIZON' as const,
      filters: [],
      bisects: true,
      retriesMax: 0,
      ageSecondsMax: -1,
      reportsFailures: true,
      ...more,
    };
    const source = startStreamSource(spec, {
      endpoint: engine.endpoint,
      checkpoints,
      activity: new Activity(),
      log,
      invoke: async (event) => {
        const keys = (event as Batch).Records.map(({ dynamodb }) => dynamodb.NewImage.pk.S);
        seen.push(...keys);
        return answer(keys);
      },
      onFailure: async (description) => void lost.push(description),
    });
    sources.push(source);
    return { seen, lost, source, checkpoints };
  }

  it('reads what was written before it started, filtered', async () => {
    const { streamArn, put } = await makeTable('filtered');
    for (const pk of ['ten_1', 'other', 'ten_2']) await put(pk);
    const filters = [{ dynamodb: { Keys: { pk: { S: [{ prefix: 'ten_' }] } } } }];
    const { seen } = start(streamArn, () => DONE, { filters });
    await eventually(() => expect(seen).toEqual(['ten_1', 'ten_2']));
    await put('ten_3');
    await eventually(() => expect(seen).toEqual(['ten_1', 'ten_2', 'ten_3']));
  });

  it('describes a record that was given up, and goes on', async () => {
    const { streamArn, put } = await makeTable('poisoned');
    for (const pk of ['a', 'bad', 'c']) await put(pk);
    const { seen, lost } = start(streamArn, (keys) => (keys.includes('bad') ? FAILED : DONE));
    await eventually(() => expect(seen.at(-1)).toBe('c'));
    expect(lost).toMatchObject([
      {
        requestContext: { functionArn: 'arn:function', condition: 'RetryAttemptsExhausted' },
        DDBStreamBatchInfo: { batchSize: 1, streamArn, startSequenceNumber: expect.any(String) },
      },
    ]);
  });

  it('goes on after a restart where it was, and skips nothing that was not done', async () => {
    const { streamArn, put } = await makeTable('resumed');
    for (const pk of ['a', 'b']) await put(pk);
    const first = start(streamArn, () => DONE);
    await eventually(() => expect(first.seen).toEqual(['a', 'b']));
    await first.source.stop();
    first.checkpoints.flush();

    await put('c');
    const failing = start(streamArn, () => FAILED, { retriesMax: -1 });
    await eventually(() => expect(failing.seen).toContain('c'));
    await failing.source.stop();
    failing.checkpoints.flush();

    const last = start(streamArn, () => DONE);
    await put('d');
    await eventually(() => expect(last.seen).toEqual(['c', 'd']));
  });

  it('lets two sources of a stream each have a filter and a position of its own', async () => {
    const { streamArn, put } = await makeTable('shared');
    for (const pk of ['acc_1', 'ten_1', 'acc_2']) await put(pk);
    const checkpoints = new Checkpoints(join(dir, 'streams.json'));
    const filtered = (id: string) => ({
      id,
      checkpoints,
      retriesMax: -1,
      filters: [{ dynamodb: { Keys: { pk: { S: [{ prefix: id }] } } } }],
    });
    const stuck = start(streamArn, () => FAILED, filtered('acc'));
    const other = start(streamArn, () => DONE, filtered('ten'));
    await eventually(() => expect([stuck.seen[0], other.seen]).toEqual(['acc_1', ['ten_1']]));
    await put('ten_2');
    await eventually(() => expect(other.seen).toEqual(['ten_1', 'ten_2']));
    await Promise.all([stuck.source.stop(), other.source.stop()]);

    const again = start(streamArn, () => DONE, filtered('acc'));
    const further = start(streamArn, () => DONE, filtered('ten'));
    await put('ten_3');
    await eventually(() => expect(again.seen).toEqual(['acc_1', 'acc_2']));
    await eventually(() => expect(further.seen).toEqual(['ten_3']));
    await Promise.all([again.source.stop(), further.source.stop()]);
    checkpoints.flush();
  });
});
