import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { fireTask } from '../../functions/tasks/fire-task.ts';
import type { Ask } from '../support/room-client.ts';
import { NOON_MS } from '../support/world.ts';
import {
  eventsOf,
  HELLO,
  messageOf,
  schedule,
  type TasksWorld,
  tasksClient,
  tasksWorld,
} from './tasks-house.ts';

const YEARS_MS = 5 * 365 * DAY_MS;
const at = (ms: number) => new Date(ms).toISOString();

let world: TasksWorld;
let tenantId: `ten_${string}`;
let ask: Ask;
beforeAll(async () => {
  world = await tasksWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.sent.splice(0);
  ({ tenantId, ask } = tasksClient(world));
});

const TRANSFER = {
  type: 'transaction',
  transaction: {
    type: 'credit',
    accountId: 'acc_00000000000000000000000001',
    amount: '100',
    currency: 'EUR',
  },
};

describe('POST /v1/tasks', () => {
  it('schedules an event, shows it as it was asked for, and costs 3 units', async () => {
    world.takeUnits();
    const text =
      '{"dueAt":"2026-11-22T10:00:00+01:00","metadata":{"a":"b"},' +
      '"action":{"type":"event","eventType":"app.hello","data":{"n": 1.0}}}';
    const { status, body, text: answer } = await ask('POST /v1/tasks', { text });

    expect(status).toBe(201);
    expect(body).toMatchObject({
      object: 'task',
      state: 'scheduled',
      dueAt: '2026-11-22T09:00:00.000Z',
      createdAt: at(NOON_MS),
      action: { type: 'event', eventType: 'app.hello' },
      metadata: { a: 'b' },
    });
    expect(answer).toContain('"data":{"n":1.0}');
    expect(world.takeUnits()).toBe(3);
    expect((await ask(`GET /v1/tasks/${body.id}`)).body).toEqual(body);
  });

  it('schedules a transaction', async () => {
    const { body } = await ask('POST /v1/tasks', { body: { delaySeconds: 60, action: TRANSFER } });
    expect(body).toMatchObject({ dueAt: at(NOON_MS + MINUTE_MS), action: TRANSFER });
  });

  it('takes a delay and a time alike', async () => {
    const dueAt = at(NOON_MS + 90 * SECOND_MS);
    const byTime = await ask('POST /v1/tasks', { body: { dueAt, action: HELLO } });
    expect((await schedule(ask, 90)).dueAt).toBe(byTime.body.dueAt);
  });

  it.each([
    ['12:00:20.0009Z', '12:00:20.001Z'],
    ['12:00:20.9999999Z', '12:00:21.000Z'],
    ['13:59:59.99900000000000000001+01:00', '13:00:00.000Z'],
    ['12:00:20.0010000Z', '12:00:20.001Z'],
    ['12:00:20.5Z', '12:00:20.500Z'],
    ['12:00:20Z', '12:00:20.000Z'],
  ])('is never due before the time that was asked for: %s', async (asked, shown) => {
    const [wanted, dueAt] = [`2026-11-21T${asked}`, `2026-11-21T${shown}`];
    const made = await ask('POST /v1/tasks', { body: { dueAt: wanted, action: HELLO } });
    expect([made.status, made.body.dueAt]).toEqual([201, dueAt]);
    const { id } = await schedule(ask, 90);
    const moved = await ask(`PATCH /v1/tasks/${id}`, { body: { dueAt: wanted } });
    expect([moved.status, moved.body.dueAt]).toEqual([200, dueAt]);
  });

  it.each([
    [180, 1],
    // The clock of the sweeper may be fast, and its index behind.
    [195, 1],
    [196, 0],
  ])('sends the message of a task that is due in %i s: %i', async (seconds, messages) => {
    const task = await schedule(ask, seconds);
    const { pk, dueMs } = messageOf(tenantId, task);
    const sent = {
      queue: 'tasks',
      atMs: dueMs,
      group: tenantId,
      body: { v: 1, pk, sk: '#', dueMs },
    };
    expect(world.sent).toEqual(messages === 1 ? [sent] : []);
  });

  it('is done without its message too, which the sweeper sends later', async () => {
    const down = { ...world, queues: { send: () => Promise.reject(new Error('down')) } };
    const { ask: asking } = tasksClient(down);
    expect((await schedule(asking, 1)).state).toBe('scheduled');
  });

  it.each<[string, object, string]>([
    ['none of the two', {}, ''],
    ['both', { dueAt: at(NOON_MS), delaySeconds: 1 }, ''],
    ['over a minute ago', { dueAt: at(NOON_MS - MINUTE_MS - 1) }, '/dueAt'],
    ['over five years ahead', { dueAt: at(NOON_MS + YEARS_MS + 1) }, '/dueAt'],
    ['no offset', { dueAt: '2026-12-01T00:00:00' }, '/dueAt'],
    ['a day', { dueAt: '2026-12-01' }, '/dueAt'],
    ['the 30th of February', { dueAt: '2027-02-30T00:00:00Z' }, '/dueAt'],
    ['a number of milliseconds', { dueAt: NOON_MS }, '/dueAt'],
    ['null', { dueAt: null }, '/dueAt'],
    ['a year beyond RFC 3339', { dueAt: '9999-12-31T23:59:59-01:00' }, '/dueAt'],
    ['a negative delay', { delaySeconds: -1 }, '/delaySeconds'],
    ['half a second', { delaySeconds: 0.5 }, '/delaySeconds'],
    ['a delay as text', { delaySeconds: '5' }, '/delaySeconds'],
    ['a delay over five years', { delaySeconds: 157_680_001 }, '/delaySeconds'],
  ])('refuses a due time: %s', async (_what, due, pointer) => {
    const { status, body } = await ask('POST /v1/tasks', { body: { ...due, action: HELLO } });
    expect([status, body.code]).toEqual([422, 'invalid_due_time']);
    expect(body.errors).toMatchObject([{ pointer, code: 'invalid_due_time' }]);
    expect(world.sent).toEqual([]);
  });

  it.each([
    ['a minute ago', { dueAt: at(NOON_MS - MINUTE_MS) }],
    ['in five years', { dueAt: at(NOON_MS + YEARS_MS) }],
    ['now', { delaySeconds: 0 }],
    ['in 157,680,000 seconds', { delaySeconds: 157_680_000 }],
  ])('takes a due time: %s', async (_what, due) => {
    expect((await ask('POST /v1/tasks', { body: { ...due, action: HELLO } })).status).toBe(201);
  });

  it.each<[string, object, string, string]>([
    ['a type of Tallyhook', { ...HELLO, eventType: 'task.fired' }, '/action/eventType', 'invalid'],
    ['no data', { type: 'event', eventType: 'a.b' }, '/action/data', 'required'],
    ['another kind', { type: 'webhook' }, '/action/type', 'invalid'],
    ['a stray field', { ...HELLO, url: 'x' }, '/action/url', 'unknown_field'],
  ])('refuses an action: %s', async (_what, action, pointer, code) => {
    const { status, body } = await ask('POST /v1/tasks', { body: { delaySeconds: 1, action } });
    expect([status, body.code]).toEqual([422, 'validation_failed']);
    expect(body.errors).toMatchObject([{ pointer, code }]);
  });

  it('refuses an amount of which nobody knows what it is', async () => {
    const text = (amount: string) =>
      `{"delaySeconds":1,"action":{"type":"transaction","transaction":{"type":"credit",` +
      `"accountId":"acc_00000000000000000000000001","currency":"EUR","amount":${amount}}}}`;
    const codeOf = async (amount: string) =>
      (await ask('POST /v1/tasks', { text: text(amount) })).body.code;
    expect(await codeOf('1e2')).toBe('invalid_amount');
    expect(await codeOf('"-1"')).toBe('invalid_amount');
    expect(await codeOf('100')).toBeUndefined();
  });

  it.each([
    [64 * 1_024, 201],
    [64 * 1_024 + 1, 413],
  ])('takes data of %i bytes: %i', async (bytes, status) => {
    const action = { ...HELLO, data: 'x'.repeat(bytes - 2) };
    expect((await ask('POST /v1/tasks', { body: { delaySeconds: 1, action } })).status).toBe(
      status,
    );
  });

  it('wants the scope of what is to be done as well', async () => {
    const { ask: some } = tasksClient(world, { tenantId, scopes: ['tasks:write', 'events:write'] });
    const refused = await some('POST /v1/tasks', { body: { delaySeconds: 1, action: TRANSFER } });
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden_scope']);
    const task = await schedule(some, 60);
    const patched = await some(`PATCH /v1/tasks/${task.id}`, { body: { action: TRANSFER } });
    expect(patched.body.code).toBe('forbidden_scope');
  });

  it('takes a day of events into account, once per key', async () => {
    const { ask: limited } = tasksClient(world, { dailyEvents: 1 });
    const body = { delaySeconds: 60, action: HELLO };
    expect((await limited('POST /v1/tasks', { body, key: 'k' })).status).toBe(201);
    expect((await limited('POST /v1/tasks', { body, key: 'other' })).status).toBe(429);
    expect((await limited('POST /v1/tasks', { body, key: 'k' })).status).toBe(201);
    const money = { delaySeconds: 60, action: TRANSFER };
    const task = (await limited('POST /v1/tasks', { body: money, key: 'm' })).body;
    const patch = { body: { action: HELLO } };
    expect((await limited(`PATCH /v1/tasks/${task.id}`, patch)).status).toBe(429);
    expect((await limited(`GET /v1/tasks/${task.id}`)).body).toEqual(task);
  });
});

describe('a creation with an Idempotency-Key', () => {
  const body = { delaySeconds: 60, action: HELLO };

  it('makes one task, and a repetition shows it as it is now', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => ask('POST /v1/tasks', { body, key: 'k' })),
    );
    expect(new Set(answers.map((it) => `${it.status} ${it.text}`)).size).toBe(1);
    const id = answers[0]?.body.id;
    await ask(`DELETE /v1/tasks/${id}`);
    world.clock.advance(DAY_MS);
    const again = await ask('POST /v1/tasks', { body, key: 'k' });
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect([again.status, again.body.id, again.body.state]).toEqual([201, id, 'cancelled']);
    expect((await ask('GET /v1/tasks')).body.data).toEqual([]);
  });

  it('sends its message again with a repetition, while it is scheduled', async () => {
    const { body: task } = await ask('POST /v1/tasks', { body, key: 'k' });
    const [message, ...others] = world.sent.splice(0);
    expect([message?.queue, others]).toEqual(['tasks', []]);
    await ask('POST /v1/tasks', { body, key: 'k' });
    expect(world.sent.splice(0)).toEqual([message]);
    await ask(`DELETE /v1/tasks/${task.id}`);
    await ask('POST /v1/tasks', { body, key: 'k' });
    expect(world.sent).toEqual([]);
  });

  it('is repeated after its time as well', async () => {
    const timed = { dueAt: at(NOON_MS + SECOND_MS), action: HELLO };
    await ask('POST /v1/tasks', { body: timed, key: 'k' });
    world.clock.advance(DAY_MS);
    expect((await ask('POST /v1/tasks', { body: timed, key: 'k' })).status).toBe(201);
    const late = await ask('POST /v1/tasks', { body: timed, key: 'new' });
    expect(late.body.code).toBe('invalid_due_time');
  });

  it('is refused for another request', async () => {
    await ask('POST /v1/tasks', { body, key: 'k' });
    const other = await ask('POST /v1/tasks', { body: { ...body, delaySeconds: 61 }, key: 'k' });
    expect(other.body.code).toBe('idempotency_key_reused');
  });
});

describe('PATCH /v1/tasks/{id}', () => {
  it('moves a task and sends its message, for 5 units', async () => {
    const task = await schedule(ask, 3_600);
    world.takeUnits();
    const { body } = await ask(`PATCH /v1/tasks/${task.id}`, { body: { delaySeconds: 5 } });
    expect(body).toEqual({ ...task, dueAt: at(NOON_MS + 5 * SECOND_MS) });
    expect(world.takeUnits()).toBe(5);
    expect(world.sent).toMatchObject([{ queue: 'tasks', atMs: NOON_MS + 5 * SECOND_MS }]);
    expect((await ask('GET /v1/tasks')).body.data).toEqual([body]);
  });

  it('changes what it does, from an event to a transaction and back', async () => {
    const task = await schedule(ask, 3_600);
    const patch = async (action: object) =>
      (await ask(`PATCH /v1/tasks/${task.id}`, { body: { action } })).body;
    expect(await patch(TRANSFER)).toEqual({ ...task, action: TRANSFER });
    expect(await patch(HELLO)).toEqual(task);
    expect(world.sent).toEqual([]);
  });

  it.each<[object, string]>([
    [{}, 'validation_failed'],
    [{ dueAt: at(NOON_MS), delaySeconds: 1 }, 'invalid_due_time'],
    [{ dueAt: at(NOON_MS - MINUTE_MS - 1) }, 'invalid_due_time'],
    [{ state: 'fired' }, 'validation_failed'],
  ])('refuses %j', async (change, code) => {
    const task = await schedule(ask, 60);
    expect((await ask(`PATCH /v1/tasks/${task.id}`, { body: change })).body.code).toBe(code);
    expect((await ask(`GET /v1/tasks/${task.id}`)).body).toEqual(task);
  });

  it("does not find another tenant's task", async () => {
    const task = await schedule(ask, 60);
    const { ask: stranger } = tasksClient(world);
    const calls: [string, object?][] = [
      [`GET /v1/tasks/${task.id}`],
      [`DELETE /v1/tasks/${task.id}`],
      [`PATCH /v1/tasks/${task.id}`, { delaySeconds: 1 }],
    ];
    for (const [call, body] of calls) {
      expect((await stranger(call, body && { body })).status).toBe(404);
    }
    expect((await ask(`GET /v1/tasks/${task.id}`)).body).toEqual(task);
  });
});

describe('DELETE /v1/tasks/{id}', () => {
  it('cancels a task, again and again, and nothing fires after it', async () => {
    const task = await schedule(ask, 60);
    const first = await ask(`DELETE /v1/tasks/${task.id}`);
    expect(first.body).toEqual({ ...task, state: 'cancelled', cancelledAt: at(NOON_MS) });
    world.clock.advance(MINUTE_MS);
    expect((await ask(`DELETE /v1/tasks/${task.id}`)).text).toBe(first.text);
    await fireTask(messageOf(tenantId, task), world);
    expect(await eventsOf(world, tenantId)).toEqual([]);
    const moved = await ask(`PATCH /v1/tasks/${task.id}`, { body: { delaySeconds: 1 } });
    expect([moved.status, moved.body.code]).toEqual([409, 'task_cancelled']);
  });

  it('comes too late for a task that has fired', async () => {
    const task = await schedule(ask, 0);
    await fireTask(messageOf(tenantId, task), world);
    for (const call of ['DELETE', 'PATCH']) {
      const body = call === 'PATCH' ? { body: { delaySeconds: 1 } } : {};
      const { status, body: told } = await ask(`${call} /v1/tasks/${task.id}`, body);
      expect([status, told.code]).toEqual([409, 'task_already_fired']);
    }
  });
});

it.each([
  ['DELETE', undefined],
  ['PATCH', { delaySeconds: 1 }],
])(
  '%s leaves a task alone that a later release has written in another form',
  async (call, body) => {
    const task = await schedule(ask, 60);
    const key = { pk: `${tenantId}#${task.id}`, sk: '#' };
    const later = { kind: 'update', table: 'tasks', key, update: 'SET v = :v' } as const;
    await world.db.commit([{ ...later, values: { ':v': 2 } }]);
    const before = await world.db.get('tasks', key);
    const answer = await ask(`${call} /v1/tasks/${task.id}`, { body });
    expect([answer.status, answer.body.code]).toEqual([500, 'internal']);
    expect(await world.db.get('tasks', key)).toEqual(before);
  },
);

describe('GET /v1/tasks', () => {
  const idsOf = (tasks: readonly { readonly id: string }[]) => tasks.map((it) => it.id);

  async function pagesOf(query: string): Promise<string[]> {
    const ids: string[] = [];
    let cursor = '';
    do {
      const { body } = await ask(`GET /v1/tasks?limit=2${query}${cursor}`);
      ids.push(...idsOf(body.data));
      cursor = body.nextCursor === undefined ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    return ids;
  }

  it('lists what is scheduled soonest first, page by page', async () => {
    const tasks = [];
    for (const seconds of [50, 10, 40, 20, 30]) tasks.push(await schedule(ask, seconds));
    const [fifty, ten, forty, twenty, thirty] = idsOf(tasks);
    expect(await pagesOf('')).toEqual([ten, twenty, thirty, forty, fifty]);
    const window = `&dueFrom=${at(NOON_MS + 20_000)}&dueTo=${at(NOON_MS + 40_000)}`;
    expect(await pagesOf(window)).toEqual([twenty, thirty]);
    expect(await pagesOf('&type=transaction')).toEqual([]);
    expect(await pagesOf('&type=event&state=scheduled')).toHaveLength(5);
  });

  it('lists what has ended latest first, each in its state only', async () => {
    const tasks = [];
    for (const seconds of [1, 2, 3, 4]) tasks.push(await schedule(ask, seconds));
    const [one, two, three, four] = idsOf(tasks);
    await ask(`DELETE /v1/tasks/${four}`);
    world.clock.advance(MINUTE_MS);
    for (const task of tasks.slice(0, 3)) await fireTask(messageOf(tenantId, task), world);
    expect(await pagesOf('&state=fired')).toEqual([three, two, one]);
    expect(await pagesOf('&state=cancelled')).toEqual([four]);
    expect(await pagesOf('&state=failed')).toEqual([]);
    expect(await pagesOf('')).toEqual([]);
  });

  it.each([
    ['without its due time', 'REMOVE dueMs', undefined],
    ['of a later form', 'SET v = :v', 99],
    ['whose data are no JSON', 'SET #data = :v', '{'],
    ['of a time that there is not', 'SET ts = :v', 9e15],
  ])('leaves one %s out, tells its key, and shows the others', async (_what, update, value) => {
    const tasks = [await schedule(ask, 1), await schedule(ask, 2), await schedule(ask, 3)];
    const [one, two = '', three] = idsOf(tasks);
    const key = { pk: `${tenantId}#${two}`, sk: '#' };
    const names = update.includes('#data') ? { names: { '#data': 'data' } } : {};
    const values = value === undefined ? {} : { values: { ':v': value } };
    await world.db.commit([{ kind: 'update', table: 'tasks', key, update, ...names, ...values }]);
    world.lines.splice(0);
    const { status, body } = await ask('GET /v1/tasks');
    expect([status, idsOf(body.data ?? [])]).toEqual([200, [one, three]]);
    const told = world.lines.filter(({ event }) => event === 'row.unreadable');
    expect(told).toEqual([expect.objectContaining(key)]);
    expect(await pagesOf('&type=event')).toEqual([one, three]);
    expect((await ask(`GET /v1/tasks/${two}`)).status).toBe(500);
  });

  it('opens no other list with its cursor', async () => {
    for (const seconds of [1, 2, 3]) await schedule(ask, seconds);
    const { body } = await ask('GET /v1/tasks?limit=2');
    const other = await ask(`GET /v1/tasks?limit=2&state=fired&cursor=${body.nextCursor}`);
    expect(other.body.code).toBe('invalid_cursor');
  });

  it('carries only as many large ones as an answer can', async () => {
    const action = { ...HELLO, data: '"'.repeat(15_000) };
    for (let n = 0; n < 100; n += 1) await schedule(ask, n, action);
    const { body, text } = await ask('GET /v1/tasks?limit=100');
    expect(Buffer.byteLength(JSON.stringify(text))).toBeLessThan(6_000_000);
    expect(body.hasMore).toBe(true);
    const rest = await ask(`GET /v1/tasks?limit=100&cursor=${body.nextCursor}`);
    expect(body.data.length + rest.body.data.length).toBe(100);
  });
});
