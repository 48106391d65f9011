import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toEvent } from '../../functions/events/event.store.ts';
import { deriveId } from '../../functions/shared/ids/derive.ts';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { fireTask } from '../../functions/tasks/fire-task.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { faultsOf, type LedgerClient, ledgerClient } from '../ledger/ledger-client.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
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

let world: TasksWorld;
let tenantId: `ten_${string}`;
let ask: Ask;
let ledger: LedgerClient;
let a: string;
beforeAll(async () => {
  world = await tasksWorld();
});
beforeEach(async () => {
  world.clock.set(NOON_MS);
  world.sent.splice(0);
  ({ tenantId, ask } = tasksClient(world));
  ledger = ledgerClient(world, tenantId);
  a = await ledger.open({}, '1000');
});

const debit = (amount: string, more: object = {}) => ({
  type: 'transaction',
  transaction: { type: 'debit', accountId: a, amount, currency: 'EUR', ...more },
});

const fire = (task: RoomBody, doors: TasksWorld = world) =>
  fireTask(messageOf(tenantId, task), doors);
const shown = async ({ id }: RoomBody) => (await ask(`GET /v1/tasks/${id}`)).body;
const balance = async () => (await ledger.account(a)).available;
const at = (ms: number) => new Date(ms).toISOString();

/** What the tenant was told beside what its ledger tells. */
async function told(type: string) {
  const items = await eventsOf(world, tenantId);
  return items.map(toEvent).filter((it) => it.type === type);
}

/** Doors that do something else just before a commit with this many writes or more. */
function meanwhile(commitOf: number, act: () => Promise<unknown>): TasksWorld {
  let isDone = false;
  const commit: Db['commit'] = async (writes) => {
    if (!isDone && writes.length >= commitOf) {
      isDone = true;
      await act();
    }
    return world.db.commit(writes);
  };
  return { ...world, db: { ...world.db, commit } };
}

describe('a task with an event', () => {
  it('sends it once, when it is due, with its exact text, for 8 units and 1 read', async () => {
    const data = '{"n": 1.0, "big": 12345678901234567890}';
    const text = `{"delaySeconds":60,"action":{"type":"event","eventType":"a.b","data":${data}}}`;
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = { traceparent: trace, 'webhook-hops': '1' };
    const { body: task } = await ask('POST /v1/tasks', { text, headers });
    world.clock.advance(MINUTE_MS);
    world.takeUnits();

    await fire(task);
    expect(world.takeUnits()).toBe(8 + 1);

    const [event, ...others] = await told('a.b');
    expect(others).toEqual([]);
    expect(event).toMatchObject({ data, occurredAtMs: NOON_MS + MINUTE_MS, traceparent: trace });
    expect(event?.hops).toBe(1);
    const fired = { state: 'fired', firedAt: at(NOON_MS + MINUTE_MS) };
    expect(await shown(task)).toEqual({ ...task, ...fired, result: { eventId: event?.id } });
    expect(await told('task.fired')).toEqual([]);
  });

  it.each([
    [-3_001, 'scheduled', 0],
    [-3_000, 'fired', 3_000],
    [-1, 'fired', 1],
    [0, 'fired', 0],
    [86_400_000, 'fired', 0],
  ])('by a message that comes %i ms after its time: %s', async (ms, state, waitsMs) => {
    const task = await schedule(ask, 60);
    world.clock.set(NOON_MS + MINUTE_MS + ms);

    await fire(task);

    expect((await shown(task)).state).toBe(state);
    expect(world.clock.nowMs() - NOON_MS - MINUTE_MS - ms).toBe(waitsMs);
  });

  it('comes again at its time where a fast clock sent its message much too early', async () => {
    const task = await schedule(ask, 1_800);
    world.clock.advance(MINUTE_MS);
    const { pk, dueMs } = messageOf(tenantId, task);
    const body = { v: 1, pk, sk: '#', dueMs };
    await fire(task);
    // As late as a message can come.
    expect(world.sent.splice(0)).toMatchObject([
      { queue: 'tasks', atMs: world.clock.nowMs() + 15 * MINUTE_MS, body },
    ]);
    world.clock.set(dueMs - 5 * SECOND_MS);
    await fire(task);
    expect(world.sent.splice(0)).toMatchObject([{ queue: 'tasks', atMs: dueMs, body }]);
    const down = { ...world, queues: { send: () => Promise.reject(new Error('down')) } };
    await expect(fire(task, down)).rejects.toThrow();

    // A message of the time from which it was moved is one too many.
    await ask(`PATCH /v1/tasks/${task.id}`, { body: { delaySeconds: 600 } });
    await fire(task);
    expect(world.sent).toEqual([]);
    expect((await shown(task)).state).toBe('scheduled');
  });

  it('is sent once by copies of a message, also at the same time', async () => {
    const task = await schedule(ask, 1);
    await Promise.all(Array.from({ length: 8 }, () => fire(task)));
    await fire(task);
    expect(await told('app.hello')).toHaveLength(1);
  });

  it('is not sent by an instance whose clock stands', async () => {
    const task = await schedule(ask, 2);
    const stopped = { ...world, clock: { ...world.clock, sleep: async () => undefined } };
    await fire(task, stopped);
    expect((await shown(task)).state).toBe('scheduled');
    expect(await told('app.hello')).toEqual([]);
  });

  it('is found by the sweeper when its message got lost', async () => {
    await sweepTable('tasks', world);
    world.sent.splice(0);
    const task = await schedule(ask, 600);
    expect(world.sent).toEqual([]);
    for (let minute = 0; minute < 12; minute += 1) {
      world.clock.advance(MINUTE_MS);
      await sweepTable('tasks', world);
    }
    const { pk, dueMs } = messageOf(tenantId, task);
    const sent = world.sent.filter((it) => it.body.pk === pk);
    expect(sent[0]).toMatchObject({ atMs: expect.any(Number), body: { pk, sk: '#', dueMs } });
    world.sent.splice(0);
    await fire(task);
    world.clock.advance(20 * MINUTE_MS);
    await sweepTable('tasks', world);
    expect(world.sent.filter((it) => it.body.pk === pk)).toEqual([]);
  });
});

describe('a change that races against firing', () => {
  it.each([
    ['a cancel', 'DELETE', undefined, 'cancelled'],
    ['a move', 'PATCH', { delaySeconds: 3_600 }, 'scheduled'],
  ])('%s that is first wins', async (_what, method, body, state) => {
    for (const action of [HELLO, debit('10')]) {
      const task = await schedule(ask, 1, action);
      const change = () => ask(`${method} /v1/tasks/${task.id}`, body && { body });
      await fire(task, meanwhile(2, change));
      expect((await shown(task)).state).toBe(state);
    }
    expect(await told('app.hello')).toEqual([]);
    expect(await balance()).toBe('1000');
    expect(await faultsOf(world, tenantId)).toEqual([]);
  });

  it('another action that is first is what is done, by the same message', async () => {
    const task = await schedule(ask, 1);
    const action = { ...HELLO, eventType: 'app.other' };
    const change = () => ask(`PATCH /v1/tasks/${task.id}`, { body: { action } });
    await fire(task, meanwhile(2, change));
    expect((await shown(task)).state).toBe('fired');
    expect([await told('app.hello'), (await told('app.other')).length]).toEqual([[], 1]);
  });

  it('has one winner, whoever it is', async () => {
    for (let round = 0; round < 10; round += 1) {
      const task = await schedule(ask, 0);
      const [, cancelled] = await Promise.all([fire(task), ask(`DELETE /v1/tasks/${task.id}`)]);
      const { state } = await shown(task);
      const events = (await told('app.hello')).filter((it) => it.id === resultOf(task)?.eventId);
      expect([cancelled.status, state]).toEqual(
        cancelled.status === 200 ? [200, 'cancelled'] : [409, 'fired'],
      );
      if (state === 'cancelled') expect(events).toEqual([]);
    }
    const fired = (await ask('GET /v1/tasks?state=fired&limit=100')).body.data;
    expect(await told('app.hello')).toHaveLength(fired.length);
  });

  it('fires a task that was moved when its message comes at the new time', async () => {
    const task = await schedule(ask, 1);
    await ask(`PATCH /v1/tasks/${task.id}`, { body: { delaySeconds: 60 } });
    await fire(task);
    expect((await shown(task)).state).toBe('scheduled');
    world.clock.advance(MINUTE_MS);
    await fire(task);
    expect((await shown(task)).state).toBe('fired');
  });
});

const resultOf = (task: RoomBody) => task.result as { eventId?: string } | undefined;

describe('a task with a transaction', () => {
  it('posts it and tells so, in one commit', async () => {
    const task = await schedule(ask, 1, debit('10', { reference: 'rent', metadata: { k: 'v' } }));
    await fire(task);

    const id = deriveId('txn', tenantId, 'task', task.id, '1');
    expect((await ledger.get(`/v1/transactions/${id}`)).body).toMatchObject({
      ...{ status: 'posted', type: 'debit', amount: '10', reference: 'rent' },
      metadata: { k: 'v' },
    });
    const [event, ...others] = await told('task.fired');
    expect(others).toEqual([]);
    const { action: _left, ...rest } = await shown(task);
    expect(rest).toMatchObject({ state: 'fired', result: { transactionId: id } });
    expect(JSON.parse(event?.data ?? '')).toEqual({ ...rest, type: 'transaction' });
    expect(await balance()).toBe('990');
    expect(await faultsOf(world, tenantId)).toEqual([]);
  });

  it('lets it tell how many webhooks in a row led to it', async () => {
    const headers = { 'webhook-hops': '2' };
    const body = { delaySeconds: 1, action: debit('10') };
    await fire((await ask('POST /v1/tasks', { body, headers })).body);

    const posted = await told('transaction.posted');
    expect(posted.map((it) => it.hops).toSorted()).toEqual([2, undefined]);
  });

  it('posts it once by copies of its message, also at the same time', async () => {
    const task = await schedule(ask, 1, debit('10'));
    await Promise.all(Array.from({ length: 5 }, () => fire(task)));
    await fire(task);
    expect(await balance()).toBe('990');
    expect(await told('task.fired')).toHaveLength(1);
    expect(await faultsOf(world, tenantId)).toEqual([]);
  });

  it.each<[string, () => object, string]>([
    ['too little money', () => debit('1001'), 'insufficient_funds'],
    ['no such account', () => debit('1', { accountId: deriveId('acc', 'none') }), 'not_found'],
    ['another currency', () => debit('1', { currency: 'USD' }), 'currency_mismatch'],
    [
      'a precondition',
      () => debit('1', { preconditions: [{ accountId: a, minAvailable: '2000' }] }),
      'precondition_failed',
    ],
  ])('fails for %s, and tells why', async (_what, action, code) => {
    const task = await schedule(ask, 1, action());
    await fire(task);
    await fire(task);

    const now = await shown(task);
    expect(now.state).toBe('failed');
    // What another copy could have caused is looked at twice.
    expect(Date.parse(String(now.failedAt)) - NOON_MS - SECOND_MS).toBeOneOf([0, 50]);
    expect(now.result).toMatchObject({ problem: { code, detail: expect.any(String) } });
    const [event, ...others] = await told('task.failed');
    expect(others).toEqual([]);
    expect(JSON.parse(event?.data ?? '')).toMatchObject({ id: task.id, result: now.result });
    expect(await balance()).toBe('1000');
    expect(await faultsOf(world, tenantId)).toEqual([]);
    const late = await ask(`PATCH /v1/tasks/${task.id}`, { body: { delaySeconds: 1 } });
    expect(late.body).toMatchObject({ code: 'task_already_fired', detail: /failed/ });
  });

  it('is done again after a death between the refusal and the end of the task', async () => {
    const task = await schedule(ask, 1, debit('1001'));
    const dying = meanwhile(2, () => Promise.reject(new Error('died')));
    await expect(fire(task, dying)).rejects.toThrow('died');
    expect((await shown(task)).state).toBe('scheduled');
    await ledger.post('/v1/transactions', {
      ...{ type: 'credit', accountId: a, amount: '500', currency: 'EUR' },
    });
    await fire(task);
    expect((await shown(task)).state).toBe('failed');
    expect(await told('task.failed')).toHaveLength(1);
  });

  it('is tried anew after a refusal when it was moved before that was its end', async () => {
    const task = await schedule(ask, 1, debit('1001'));
    const move = () => ask(`PATCH /v1/tasks/${task.id}`, { body: { delaySeconds: 60 } });
    await fire(task, meanwhile(2, move));
    expect((await shown(task)).state).toBe('scheduled');
    await ledger.post('/v1/transactions', {
      ...{ type: 'credit', accountId: a, amount: '500', currency: 'EUR' },
    });
    world.clock.advance(MINUTE_MS);
    await fire(await shown(task));
    expect((await shown(task)).state).toBe('fired');
    expect(await balance()).toBe('499');
    expect(await faultsOf(world, tenantId)).toEqual([]);
  });

  it('comes again a little later where others are in the way, and burns no receive', async () => {
    const task = await schedule(ask, 1, debit('10'));
    world.sent.splice(0);
    const commit: Db['commit'] = async (writes) => ({
      ok: false,
      reasons: writes.map(() => ({ code: 'conflict' as const })),
    });
    await fire(task, { ...world, db: { ...world.db, commit } });
    const [again, ...others] = world.sent;
    expect(others).toEqual([]);
    const waitMs = Number(again?.atMs) - world.clock.nowMs();
    expect(waitMs).toBeGreaterThanOrEqual(SECOND_MS);
    expect(waitMs).toBeLessThan(5 * SECOND_MS);
    await fire(task);
    expect(await balance()).toBe('990');
  });

  it('leaves room for its end among the accounts of a journal', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 96; n += 1) ids.push(await ledger.open());
    const postings = ids.map((id) => ({
      ...{ sourceAccountId: '@world', destinationAccountId: id, amount: '1', currency: 'EUR' },
    }));
    const journal = (count: number) => ({
      type: 'transaction',
      transaction: { type: 'journal', postings: postings.slice(0, count) },
    });
    const fits = await schedule(ask, 1, journal(95));
    const tooMany = await schedule(ask, 1, journal(96));
    await fire(fits);
    await fire(tooMany);
    expect((await shown(fits)).state).toBe('fired');
    expect((await shown(tooMany)).result).toMatchObject({ problem: { code: 'batch_too_large' } });
  });
});
