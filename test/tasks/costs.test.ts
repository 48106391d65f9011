import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fireTask } from '../../functions/tasks/fire-task.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
import { costOf } from '../support/cost.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import { UNITS } from '../support/units.ts';
import {
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
let a: string;
let b: string;
beforeAll(async () => {
  world = await tasksWorld();
});
beforeEach(async () => {
  ({ tenantId, ask } = tasksClient(world));
  const ledger = ledgerClient(world, tenantId);
  [a, b] = [await ledger.open({}, '1000'), await ledger.open()];
});

const credit = () => ({
  type: 'transaction',
  transaction: { type: 'credit', accountId: a, amount: '100', currency: 'EUR' },
});
const transfer = (amount = '100') => ({
  type: 'transaction',
  transaction: {
    ...{ type: 'transfer', sourceAccountId: a, destinationAccountId: b },
    ...{ amount, currency: 'EUR' },
  },
});

const fire = (task: RoomBody) => fireTask(messageOf(tenantId, task), world);
const inAnHour = (action: object) => ({ body: { delaySeconds: 3_600, action } });

describe('what a request costs', () => {
  it.each<[string, () => object]>([
    ['an event', () => HELLO],
    ['a transaction', transfer],
  ])('for a task with %s', async (_what, action) => {
    const create = (more: object = {}) => ask('POST /v1/tasks', { ...inAnHour(action()), ...more });
    expect(await costOf(world, () => create())).toBe(UNITS.task);
    expect(await costOf(world, () => create({ key: 'k' }))).toBe('1 RRU, 1 + 2 WRU');
    expect(await costOf(world, () => create({ key: 'k' }))).toBe('1 RRU, 0 + 0 WRU');

    const { id } = await schedule(ask, 3_600, action());
    const patch = (body: object) => () => ask(`PATCH /v1/tasks/${id}`, { body });
    expect(await costOf(world, patch({ delaySeconds: 7_200 }))).toBe('0 RRU, 1 + 4 WRU');
    expect(await costOf(world, patch({ action: action() }))).toBe('0 RRU, 1 + 0 WRU');
    expect(await costOf(world, () => ask(`GET /v1/tasks/${id}`))).toBe('1 RRU, 0 + 0 WRU');
    const cancel = () => ask(`DELETE /v1/tasks/${id}`);
    expect(await costOf(world, cancel)).toBe('0 RRU, 1 + 3 WRU');
  });

  it('a page of tasks reads eight shards of the index, and each task', async () => {
    for (let n = 0; n < 10; n += 1) await schedule(ask, 3_600);
    expect(await costOf(world, () => ask('GET /v1/tasks'))).toBe('14 RRU, 0 + 0 WRU');
  });
});

describe('what firing costs', () => {
  it.each<[string, () => object, string]>([
    ['an event', () => HELLO, UNITS.firedEvent],
    // Its own 2 RRU and 6 + 2 WRU.
    ['a credit', credit, '3 RRU, 10 + 6 WRU'],
    // Its own 3 RRU and 8 + 2 WRU.
    ['a transfer', transfer, '4 RRU, 12 + 6 WRU'],
    // The refusal is stored by itself, for 1 + 1, before the task ends with it.
    ['a transfer that is refused', () => transfer('1001'), '4 RRU, 5 + 5 WRU'],
  ])('%s', async (_what, action, cost) => {
    const task = await schedule(ask, 1, action());
    expect(await costOf(world, () => fire(task))).toBe(cost);
    expect(await costOf(world, () => fire(task))).toBe('1 RRU, 0 + 0 WRU');
  });

  it('nothing but a read for what was cancelled or moved', async () => {
    const cancelled = await schedule(ask, 1);
    await ask(`DELETE /v1/tasks/${cancelled.id}`);
    const moved = await schedule(ask, 1);
    await ask(`PATCH /v1/tasks/${moved.id}`, { body: { delaySeconds: 3_600 } });
    for (const task of [cancelled, moved]) {
      expect(await costOf(world, () => fire(task))).toBe('1 RRU, 0 + 0 WRU');
    }
  });
});
