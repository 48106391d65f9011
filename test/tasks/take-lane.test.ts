import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SECOND_MS } from '../../functions/shared/units.ts';
import type { Clock, Db, Write } from '../../functions/shared/world.ts';
import { fireTasks } from '../../functions/tasks/fire-tasks.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import { eventually } from '../support/until.ts';
import { NOON_MS } from '../support/world.ts';
import { messageOf, schedule, type TasksWorld, tasksClient, tasksWorld } from './tasks-house.ts';

let world: TasksWorld;
beforeAll(async () => {
  world = await tasksWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.sent.splice(0);
});

/** A tenant with tasks that are due in a second, and debit its accounts in turns. */
async function tenantWith(count: number, accounts = 1) {
  const { tenantId, ask } = tasksClient(world);
  const ledger = ledgerClient(world, tenantId);
  const ids: string[] = [];
  while (ids.length < accounts) ids.push(await ledger.open({}, '1000'));
  const tasks: RoomBody[] = [];
  while (tasks.length < count) {
    const accountId = ids[tasks.length % accounts];
    const transaction = { type: 'debit', accountId, amount: '1', currency: 'EUR' };
    tasks.push(await schedule(ask, 1, { type: 'transaction', transaction }));
  }
  return { tenantId, ask, tasks, messages: tasks.map((it) => messageOf(tenantId, it)) };
}

type Tenant = Awaited<ReturnType<typeof tenantWith>>;

const states = async ({ ask, tasks }: Tenant) => {
  const shown = await Promise.all(tasks.map(({ id }) => ask(`GET /v1/tasks/${id}`)));
  return shown.map(({ body }) => body.state);
};
const allFired = ({ tasks }: Tenant) => tasks.map(() => 'fired');

const move = (ask: Ask, { id }: RoomBody, dueMs: number) =>
  ask(`PATCH /v1/tasks/${id}`, { body: { dueAt: new Date(dueMs).toISOString() } });

/** The key of the task whose end is among these writes. */
function endedBy(writes: readonly Write[]): string | undefined {
  const [end] = writes.flatMap((it) => (it.kind === 'update' && it.table === 'tasks' ? it : []));
  return end?.key.pk;
}

/** What nobody passes until it is opened. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

describe('tasks of two tenants in one batch', () => {
  it('does not let one wait for the commits of the other', async () => {
    const [a, b] = [await tenantWith(60), await tenantWith(6, 6)];
    const { open, opened } = gate();
    let held = 0;
    const commit: Db['commit'] = async (writes) => {
      if (endedBy(writes)?.startsWith(a.tenantId)) {
        held += 1;
        await opened;
      }
      return world.db.commit(writes);
    };
    world.clock.set(NOON_MS + SECOND_MS);
    const batch = fireTasks([...a.messages, ...b.messages], {
      ...world,
      db: { ...world.db, commit },
    });
    try {
      await eventually(async () => expect(await states(b)).toEqual(allFired(b)));
      // Transactions of one account hinder each other.
      await eventually(() => expect(held).toBe(20));
    } finally {
      open();
      await batch;
    }
    expect((await batch).map((it) => it.status)).not.toContain('rejected');
  });

  it.each<[string, (act: () => Promise<unknown>) => Promise<TasksWorld>]>([
    [
      'before the batch is read',
      async (act) => {
        await act();
        return world;
      },
    ],
    [
      'after the batch was read',
      async (act) => {
        const getAll: Db['getAll'] = async (keys) => {
          const items = await world.db.getAll(keys);
          await act();
          return items;
        };
        return { ...world, db: { ...world.db, getAll: once(getAll, world.db.getAll) } };
      },
    ],
  ])('does not let one wait for the sleep of the other, moved %s', async (_when, moving) => {
    const [a, b] = [await tenantWith(45), await tenantWith(1)];
    const dueMs = NOON_MS + SECOND_MS;
    world.clock.set(dueMs);
    const doors = await moving(() =>
      Promise.all(a.tasks.map((it) => move(a.ask, it, dueMs + 2_400))),
    );
    const { open, opened } = gate();
    const sleep: Clock['sleep'] = async (ms) => {
      if (ms > 2_000) await opened;
    };
    const batch = fireTasks([...a.messages, ...b.messages], {
      ...doors,
      clock: { ...world.clock, sleep },
    });
    try {
      await eventually(async () => expect(await states(b)).toEqual(['fired']));
    } finally {
      world.clock.set(dueMs + 2_400);
      open();
      await batch;
    }
    expect((await batch).map((it) => it.status)).not.toContain('rejected');
  });

  it('fires first what is due first, whatever the messages say', async () => {
    const a = await tenantWith(40);
    const dueMs = NOON_MS + SECOND_MS;
    const [first] = a.tasks.slice(-1) as [RoomBody];
    await move(a.ask, first, dueMs - 500);
    const order: string[] = [];
    const commit: Db['commit'] = async (writes) => {
      const ended = endedBy(writes);
      if (ended) order.push(ended);
      return world.db.commit(writes);
    };
    world.clock.set(dueMs);
    await fireTasks(a.messages, { ...world, db: { ...world.db, commit } });
    expect(order.slice(0, 20)).toContain(messageOf(a.tenantId, first).pk);
  });
});

/** The first call goes one way, all others the other. */
function once<Act extends (...args: never[]) => unknown>(first: Act, then: Act): Act {
  let isDone = false;
  return ((...args) => {
    const act = isDone ? then : first;
    isDone = true;
    return act(...args);
  }) as Act;
}
