import { beforeAll, describe, expect, it } from 'vitest';
import type { Item } from '../../functions/shared/world.ts';
import { fireTask } from '../../functions/tasks/fire-task.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
import { type Snapshot, takeSnapshot } from '../support/invariants/snapshot.ts';
import { checkTasks } from '../support/invariants/tasks.ts';
import { messageOf, schedule, tasksClient, tasksWorld } from '../tasks/tasks-house.ts';

/** A true history, to plant one fault in at a time: a task in each state, and one that paid. */
let history: Snapshot;
beforeAll(async () => {
  const world = await tasksWorld();
  const { tenantId, ask } = tasksClient(world);
  const ledger = ledgerClient(world, tenantId);
  const accountId = await ledger.open({}, '1000');
  const debit = (amount: string) => ({
    type: 'transaction',
    transaction: { type: 'debit', accountId, amount, currency: 'EUR' },
  });
  const due = [await schedule(ask, 1), await schedule(ask, 1, debit('1'))];
  due.push(await schedule(ask, 1, debit('1000')));
  await schedule(ask, 600);
  await ask(`DELETE /v1/tasks/${(await schedule(ask, 600)).id}`);
  for (const task of due) await fireTask(messageOf(tenantId, task), world);
  history = await takeSnapshot(world.client, world.tables);
});

describe('checkTasks', () => {
  it('finds nothing in a true history', () => {
    expect(history.tasks.map((it) => it.state).toSorted()).toEqual([
      ...['cancelled', 'failed', 'fired', 'fired', 'scheduled'],
    ]);
    expect(checkTasks(history)).toEqual([]);
  });

  it.each<[string, string, (snapshot: Snapshot) => Snapshot]>([
    ['a task that is not due any more', 'its due not', (it) => edit(it, 'scheduled', OFF)],
    ['an end that is still due', 'its due not', (it) => edit(it, 'cancelled', { duePk: 'x' })],
    ['a task that was early', 'before its time', (it) => edit(it, 'fired', { dueMs: 1e15 })],
    ['an event of a task that was cancelled', 'told otherwise', sendForCancelled],
    ['a lost event', 'lost its event', (it) => ({ ...it, outbox: [] })],
    ['a lost transaction', 'lost its transaction', (it) => ({ ...it, ledger: [] })],
    ['an event of no task', 'is not of one task', (it) => ({ ...it, tasks: [] })],
    [
      'an event of two tasks',
      'is not of one task',
      (it) => ({ ...it, tasks: [...it.tasks, ...it.tasks] }),
    ],
  ])('names %s', (_what, violation, plant) => {
    expect(checkTasks(plant(history)).join('\n')).toContain(violation);
  });
});

const OFF = { duePk: undefined };

function edit(snapshot: Snapshot, state: string, over: Item): Snapshot {
  const tasks = snapshot.tasks.map((it) => (it.state === state ? { ...it, ...over } : it));
  return { ...snapshot, tasks };
}

function sendForCancelled(snapshot: Snapshot): Snapshot {
  const [{ event } = {}] = snapshot.tasks.filter((it) => it.state === 'fired');
  return edit(snapshot, 'cancelled', { event });
}
