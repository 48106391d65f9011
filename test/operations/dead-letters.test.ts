import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PARKED_NAMES } from '../../functions/operations/dead-letter.ts';
import { dropDeadLetter } from '../../functions/operations/drop-dead-letter.ts';
import { listDeadLetters } from '../../functions/operations/list-dead-letters.ts';
import { redriveDeadLetters } from '../../functions/operations/redrive-dead-letters.ts';
import { toInstant } from '../../functions/shared/wire.ts';
import type { ParkedName } from '../../functions/shared/world.ts';
import type { QueueStore } from '../../local/sqs/store.ts';
import { until } from '../support/until.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { instanceOf } from '../tenants/tenants-api.ts';
import { openRealQueues, type RealQueues, STREAMS } from './real-queues.ts';

let queues: RealQueues;
let store: QueueStore;
let world: TestWorld;
let ask: ReturnType<typeof instanceOf>;
beforeEach(async () => {
  queues = await openRealQueues();
  ({ store } = queues);
  world = await testWorld();
  const doors = { ...world, deadLetters: queues.deadLetters };
  ask = instanceOf(doors, [listDeadLetters, redriveDeadLetters, dropDeadLetter]);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await queues.close();
});

/** As if the consumer had failed on them. */
function park(name: ParkedName, ...bodies: readonly string[]): void {
  store.send(
    name,
    bodies.map((body) => ({ body })),
  );
  for (const _ of bodies) store.receive(name, 10, 0);
  store.receive(name, 1, 0);
}

const call = async (route: string, body?: object) => {
  const key = await world.secrets.read('admin-key');
  return ask(route, { key, ...(body && { body }) });
};
const list = async (queue?: ParkedName) => {
  const answer = await call(`GET /v1/admin/dead-letters${queue ? `?queue=${queue}` : ''}`);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.data as unknown as Listed[];
};
const redrive = (body: object) => call('POST /v1/admin/dead-letters/redrive', body);
const drop = (body: object) => call('POST /v1/admin/dead-letters/drop', body);

interface Listed {
  readonly queue: string;
  readonly depth: number;
  readonly redrivable: boolean;
  readonly redrive?: object;
  readonly messages: readonly { id: string; body: string; reason?: string; receives: number }[];
}

const depthOf = (queue: string) => Number(store.attributes(queue).ApproximateNumberOfMessages);

describe('the list of dead letters', () => {
  it('names every queue, also the empty ones', async () => {
    const all = await list();
    expect(all.map(({ queue }) => queue)).toEqual(PARKED_NAMES);
    expect(all.filter(({ redrivable }) => !redrivable).map(({ queue }) => queue)).toEqual(STREAMS);
    expect(all.map(({ depth, messages }) => depth + messages.length)).toEqual(
      PARKED_NAMES.map(() => 0),
    );
  });

  it('shows a message without what belongs to the tenant, and leaves it there', async () => {
    const order = { v: 1, tenant: 'ten_1', body: { type: 'a.b', data: '{"iban":"DE02"}' } };
    park('delivery-fast', JSON.stringify(order));

    await list('delivery-fast');
    const [found] = await list('delivery-fast');

    expect(found).toMatchObject({ depth: 1, messages: [{ queue: 'delivery-fast', receives: 2 }] });
    expect(JSON.parse(found?.messages[0]?.body ?? '')).toEqual({
      ...order,
      body: { type: 'a.b', data: '15 characters' },
    });
    expect(depthOf('delivery-fast-parked')).toBe(1);
  });

  it('shows what cannot be parsed as it is, within limits', async () => {
    park('audits', `not JSON ${'\u{1f511}'.repeat(3_000)}`);
    const [found] = await list('audits');
    const [message] = found?.messages ?? [];

    expect(message).toMatchObject({ reason: 'not_json', body: expect.stringMatching(/^not JSON/) });
    expect(message?.body.length).toBe(2_048);
    expect(message?.body.isWellFormed()).toBe(true);
  });

  it('says why the stream gave up a position', async () => {
    const requestContext = { condition: 'RetryAttemptsExhausted' };
    store.send('unrelayed-parked', [{ body: JSON.stringify({ requestContext }) }]);
    const [found] = await list('unrelayed');
    expect(found?.messages).toMatchObject([{ reason: 'RetryAttemptsExhausted' }]);
  });

  it('shows ten of many', async () => {
    park('audits', ...Array.from({ length: 10 }, (_, n) => `${n}`));
    park('audits', '10', '11');
    const [found] = await list('audits');
    expect([found?.depth, found?.messages.length]).toEqual([12, 10]);
  });
});

describe('a redrive', () => {
  it('knows the queue of what was put there directly, as the sweeper does', async () => {
    store.send('audits-parked', [{ body: '{"v":1}' }]);
    expect((await redrive({ queue: 'audits' })).status).toBe(202);
    await until(
      () => depthOf('audits'),
      (it) => it === 1,
    );
    expect(depthOf('audits-parked')).toBe(0);
  });

  it('moves the dead letters of that queue back, and says how far it is', async () => {
    park('file-care', '{}', '{}');
    park('audits', '{}');
    const { status, body } = await redrive({ queue: 'file-care' });

    expect(status).toBe(202);
    expect(body).toMatchObject({ queue: 'file-care', depth: 0, redrive: { status: 'completed' } });
    expect([depthOf('file-care'), depthOf('audits-parked')]).toEqual([2, 1]);
  });

  it('keeps the rate, and refuses a second one meanwhile', async () => {
    for (let n = 0; n < 10; n += 1) park('file-care', ...'0123456789');
    const { body } = await redrive({ queue: 'file-care', ratePerSecond: 1 });
    const again = await redrive({ queue: 'file-care' });

    expect(body.redrive).toMatchObject({ status: 'running', total: 100 });
    expect([again.status, again.body.code]).toEqual([409, 'conflict']);
  });

  it.each(STREAMS)('refuses positions of the stream: %s', async (queue) => {
    const { status, body } = await redrive({ queue });
    expect([status, body.code]).toEqual([422, 'not_available']);
    expect(body.detail).toContain('cannot be moved back');
  });

  it('refuses what is no queue, and a rate that SQS does not know', async () => {
    for (const wrong of [{ queue: 'outbox' }, { queue: 'audits', ratePerSecond: 501 }]) {
      expect(await redrive(wrong)).toMatchObject({ status: 422 });
    }
  });
});

describe('a drop', () => {
  it('deletes that message alone, once, and logs why', async () => {
    for (const batch of [0, 1, 2]) {
      park('audits', ...Array.from({ length: 10 }, (_, n) => `{"n":${10 * batch + n}}`));
    }
    const [found] = await list('audits');
    const message = found?.messages[7];
    const order = { queue: 'audits', messageId: message?.id, reason: 'made by hand' };
    const dropped = await drop(order);
    const again = await drop(order);

    expect(dropped).toMatchObject({ status: 200, body: { messageId: message?.id } });
    expect([again.status, again.body.code]).toEqual([404, 'not_found']);
    expect(world.lines.filter(({ event }) => event === 'dead-letter.dropped')).toMatchObject([
      { queue: 'audits', messageId: message?.id, reason: 'made by hand' },
    ]);
    // All others are there, and nobody has them in hand.
    expect(depthOf('audits-parked')).toBe(29);
    const left = Array.from({ length: 3 }, () => store.receive('audits-parked', 10, 60)).flat();
    expect(left.map(({ body }) => body)).not.toContain(message?.body);
  });

  it('deletes what was sent before a time, a thousand a call, and leaves the others', async () => {
    const parkMany = (from: number, count: number) =>
      store.send(
        'unprojected-parked',
        Array.from({ length: count }, (_, n) => ({ body: `{"n":${from + n}}` })),
      );
    parkMany(0, 1_015);
    const cutMs = Date.now() + 1;
    const sentBefore = toInstant(cutMs);
    await until(Date.now, (it) => it >= cutMs);
    parkMany(1_015, 3);
    const order = { queue: 'unprojected', sentBefore, reason: 'rebuilt' };

    const first = await drop(order);
    const second = await drop(order);
    const third = await drop(order);

    const { queue, reason } = order;
    const object = 'dropped_dead_letter';
    const droppedAt = expect.any(String);
    const body = { object, queue, sentBefore, dropped: 1_000, reason, droppedAt };
    expect(first).toMatchObject({ status: 200 });
    expect(first.body).toEqual(body);
    expect([second.body.dropped, third.status, third.body.dropped]).toEqual([15, 200, 0]);
    const left = store.receive('unprojected-parked', 10, 60).map((it) => it.body);
    expect(left.toSorted()).toEqual(['{"n":1015}', '{"n":1016}', '{"n":1017}']);
    const lines = world.lines.filter(({ event }) => event === 'dead-letter.dropped');
    expect(lines).toMatchObject([
      { queue: 'unprojected', dropped: 1_000, sentBefore, reason: 'rebuilt' },
      { queue: 'unprojected', dropped: 15, sentBefore, reason: 'rebuilt' },
    ]);
  });

  it('has happened also when the others cannot be given back', async () => {
    park('audits', '{"n":1}', '{"n":2}');
    const [found] = await list('audits');
    const messageId = found?.messages[0]?.id;
    queues.failing.add('AmazonSQS.ChangeMessageVisibilityBatch');

    const { status } = await drop({ queue: 'audits', messageId, reason: 'made by hand' });

    expect(status).toBe(200);
    expect(world.lines).toContainEqual(
      expect.objectContaining({ event: 'dead-letter.dropped', messageId }),
    );
  });

  it('names one message, or a time', async () => {
    const order = { queue: 'audits', reason: 'x' };
    const sentBefore = toInstant(Date.now());
    for (const wrong of [order, { ...order, messageId: 'x', sentBefore }]) {
      expect(await drop(wrong)).toMatchObject({ status: 422 });
    }
  });

  it('wants a reason', async () => {
    const order = { queue: 'audits', messageId: 'x', reason: '' };
    expect(await drop(order)).toMatchObject({ status: 422 });
  });
});
