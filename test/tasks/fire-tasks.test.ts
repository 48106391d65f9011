import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Problem } from '../../functions/shared/problem.ts';
import { KIB, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Commit, Db } from '../../functions/shared/world.ts';
import { fireTasks } from '../../functions/tasks/fire-tasks.ts';
import { type DueTask, TaskMessage, tasksIn } from '../../functions/tasks/task-message.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { checkTasks } from '../support/invariants/tasks.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import { eventually } from '../support/until.ts';
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
beforeAll(async () => {
  world = await tasksWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.sent.splice(0);
  world.units.splice(0);
  ({ tenantId, ask } = tasksClient(world));
});

async function scheduleMany(count: number, delaySeconds = 1): Promise<RoomBody[]> {
  const tasks: RoomBody[] = [];
  while (tasks.length < count) tasks.push(await schedule(ask, delaySeconds));
  return tasks;
}

async function scheduleAt(dueMs: number): Promise<RoomBody> {
  const dueAt = new Date(dueMs).toISOString();
  return (await ask('POST /v1/tasks', { body: { dueAt, action: HELLO } })).body;
}

/** The action of a task that takes money from an account. */
const debit = (accountId: string, amount: string) => ({
  type: 'transaction',
  transaction: { type: 'debit', accountId, amount, currency: 'EUR' },
});

const fire = (tasks: readonly RoomBody[], doors: TasksWorld = world) =>
  fireTasks(
    tasks.map((it) => messageOf(tenantId, it)),
    doors,
  );
const statesOf = async (tasks: readonly RoomBody[]) => {
  const shown = await Promise.all(tasks.map(({ id }) => ask(`GET /v1/tasks/${id}`)));
  return shown.map(({ body }) => body.state);
};
const fulfilled = (count: number) => Array.from({ length: count }, () => 'fulfilled');
const outcomes = async (settled: ReturnType<typeof fire>) =>
  (await settled).map(({ status }) => status);

/** Doors whose first commit of so many writes or more goes this way. */
function onCommitOf(count: number, act: (commit: Db['commit']) => Db['commit']): TasksWorld {
  let isDone = false;
  const commit: Db['commit'] = (writes) => {
    if (isDone || writes.length < count) return world.db.commit(writes);
    isDone = true;
    return act(world.db.commit)(writes);
  };
  return { ...world, db: { ...world.db, commit } };
}

/** Doors that note how many writes each commit has. */
function noting(sizes: number[], doors: TasksWorld): TasksWorld {
  const commit: Db['commit'] = (writes) => {
    sizes.push(writes.length);
    return doors.db.commit(writes);
  };
  return { ...doors, db: { ...doors.db, commit } };
}

describe('a batch of tasks with events that are due', () => {
  it('is one read and one commit, and costs what each of them would cost alone', async () => {
    const tasks = await scheduleMany(10);
    world.units.splice(0);
    expect(await outcomes(fire(tasks))).toEqual(fulfilled(10));
    expect(world.units.map((it) => it.operation)).toEqual(['getAll', 'commit']);
    expect(world.takeUnits()).toBe(10 * (8 + 1));
    expect(await statesOf(tasks)).toEqual(tasks.map(() => 'fired'));
    expect(await eventsOf(world, tenantId)).toHaveLength(10);
    expect(world.lines.filter((it) => it.event === 'task.ended')).toHaveLength(10);
  });

  it('fires each at its own time, and what became due meanwhile together', async () => {
    const tasks = [];
    for (const ms of [900, 100, 500, 100]) tasks.push(await scheduleAt(NOON_MS + ms));
    world.units.splice(0);
    await fire(tasks);
    expect(world.units.map((it) => it.operation)).toEqual(['getAll', 'commit', 'commit', 'commit']);
    const events = await eventsOf(world, tenantId);
    const times = events.map((it) => Number(it.ts) - NOON_MS);
    expect(times.toSorted((a, b) => a - b)).toEqual([100, 100, 500, 900]);
  });

  it('fires those of one moment together, when the last of them is due', async () => {
    const tasks = [];
    for (const ms of [149, 100, 151, 150]) tasks.push(await scheduleAt(NOON_MS + ms));
    world.units.splice(0);
    await fire(tasks);
    expect(world.units.map((it) => it.operation)).toEqual(['getAll', 'commit', 'commit']);
    const events = await eventsOf(world, tenantId);
    const times = events.map((it) => Number(it.ts) - NOON_MS);
    expect(times.toSorted((a, b) => a - b)).toEqual([150, 150, 150, 151]);
  });

  it('is no larger than a commit may be', async () => {
    const tasks = await scheduleMany(120);
    const sizes: number[] = [];
    expect(await outcomes(fire(tasks, noting(sizes, world)))).toEqual(fulfilled(120));
    expect(sizes).toEqual([100, 100, 40]);
    expect(await eventsOf(world, tenantId)).toHaveLength(120);
  });

  it('is fewer where their data is large', async () => {
    const action = { ...HELLO, data: { text: 'x'.repeat(60 * KIB) } };
    const tasks = [];
    while (tasks.length < 40) tasks.push(await schedule(ask, 1, action));
    const sizes: number[] = [];
    await fire(tasks, noting(sizes, world));
    // Of four megabytes, with task and event of 60 KiB each.
    expect(sizes).toEqual([2 * 27, 2 * 13]);
    expect(await statesOf(tasks)).toEqual(tasks.map(() => 'fired'));
  });

  it.each<[string, (task: RoomBody) => () => Promise<unknown>, string]>([
    [
      'cancelled',
      ({ id }) =>
        () =>
          ask(`DELETE /v1/tasks/${id}`),
      'cancelled',
    ],
    [
      'moved',
      ({ id }) =>
        () =>
          ask(`PATCH /v1/tasks/${id}`, { body: { delaySeconds: 3_600 } }),
      'scheduled',
    ],
  ])('fires the others when one is %s in the last moment', async (_what, change, state) => {
    const tasks = await scheduleMany(5);
    const act = change(tasks[2] as RoomBody);
    const doors = onCommitOf(10, (commit) => async (writes) => {
      await act();
      return commit(writes);
    });
    const sizes: number[] = [];
    expect(await outcomes(fire(tasks, noting(sizes, doors)))).toEqual(fulfilled(5));
    // It alone is left out.
    expect(sizes).toEqual([10, 8]);
    expect(await statesOf(tasks)).toEqual(['fired', 'fired', state, 'fired', 'fired']);
    expect(await eventsOf(world, tenantId)).toHaveLength(4);
  });

  it.each<[string, (commit: Db['commit']) => Db['commit']]>([
    [
      'another transaction is in the way',
      () => async (writes) => ({ ok: false, reasons: writes.map(() => ({ code: 'conflict' })) }),
    ],
    ['the database does not answer', () => () => Promise.reject(new Error('down'))],
    [
      'the answer gets lost',
      (commit) =>
        async (writes): Promise<Commit> => {
          await commit(writes);
          throw new Error('lost');
        },
    ],
  ])('fires each once where %s', async (_what, act) => {
    const tasks = await scheduleMany(4);
    expect(await outcomes(fire(tasks, onCommitOf(8, act)))).toEqual(fulfilled(4));
    expect(await statesOf(tasks)).toEqual(tasks.map(() => 'fired'));
    expect(await eventsOf(world, tenantId)).toHaveLength(4);
  });

  it('is sent once by two workers that have the same batch', async () => {
    const tasks = await scheduleMany(6);
    await Promise.all([fire(tasks), fire(tasks.toReversed())]);
    expect(await eventsOf(world, tenantId)).toHaveLength(6);
  });

  it('is not fired by an instance whose clock stands', async () => {
    const tasks = await scheduleMany(2, 2);
    const stopped = { ...world, clock: { ...world.clock, sleep: async () => undefined } };
    await fire(tasks, stopped);
    expect(await statesOf(tasks)).toEqual(['scheduled', 'scheduled']);
    expect(await eventsOf(world, tenantId)).toEqual([]);
  });
});

describe('a batch of all sorts', () => {
  it('does what each message is for, and gives back only what failed', async () => {
    const accountId = await ledgerClient(world, tenantId).open({}, '1000');
    const [event, far, gone] = [
      await schedule(ask, 1),
      await schedule(ask, 60),
      await schedule(ask, 1),
    ];
    await ask(`DELETE /v1/tasks/${gone.id}`);
    const tasks = [event, event, far, gone, await schedule(ask, 1, debit(accountId, '1'))];
    tasks.push(await schedule(ask, 1, debit(accountId, '5000')), { ...event, id: 'tsk_none' });
    expect(await outcomes(fire(tasks))).toEqual(fulfilled(7));
    expect(await statesOf(tasks.slice(0, 6))).toEqual([
      ...['fired', 'fired', 'scheduled', 'cancelled', 'fired', 'failed'],
    ]);

    const broken = await schedule(ask, 1);
    const { pk } = messageOf(tenantId, broken);
    const damage = { kind: 'update' as const, table: 'tasks' as const, key: { pk, sk: '#' } };
    await world.db.commit([{ ...damage, update: 'REMOVE eventType' }]);
    const whole = await schedule(ask, 1);
    expect(await outcomes(fire([broken, whole]))).toEqual(['rejected', 'fulfilled']);
    expect(await statesOf([whole])).toEqual(['fired']);
    await world.db.commit([{ kind: 'remove', table: 'tasks', key: { pk, sk: '#' } }]);
    expect(checkTasks(await takeSnapshot(world.client, world.tables))).toEqual([]);
  });

  it('does what each message names, and sends a part that fails again by itself', async () => {
    const action = debit(await ledgerClient(world, tenantId).open({}, '1000'), '1');
    const tasks = await scheduleMany(5);
    tasks.push(await schedule(ask, 1, action));
    const [broken] = tasks.splice(3, 1, await schedule(ask, 1, action)) as [RoomBody];
    const { pk } = messageOf(tenantId, broken);
    const key = { pk, sk: '#' };
    const eventType = { kind: 'update', table: 'tasks', key } as const;
    await world.db.commit([{ ...eventType, update: 'REMOVE eventType' }]);
    const places = tasks.map((it) => messageOf(tenantId, it));
    const [a, b, c, d, e, f] = places as [DueTask, DueTask, DueTask, DueTask, DueTask, DueTask];
    const messages = [
      { ...a, others: [b, { pk, dueMs: a.dueMs }, d] },
      { ...c, others: [e, f, a] },
    ];
    world.sent.splice(0);
    expect((await fireTasks(messages, world)).map((it) => it.status)).toEqual(fulfilled(2));
    expect(await statesOf(tasks)).toEqual(tasks.map(() => 'fired'));

    await world.db.commit([
      { ...eventType, update: 'SET eventType = :type', values: { ':type': 'app.hello' } },
    ]);
    const again = world.sent.splice(0).map((it) => TaskMessage.parse(it.body));
    expect(again).toEqual([{ pk, dueMs: a.dueMs }]);
    expect(await outcomes(fireTasks([...again, ...messages], world))).toEqual(fulfilled(3));
    expect(await statesOf([broken])).toEqual(['fired']);
    const types = (await eventsOf(world, tenantId)).map((it) => it.type);
    expect(types.filter((it) => it === 'app.hello')).toHaveLength(5);
    expect(checkTasks(await takeSnapshot(world.client, world.tables))).toEqual([]);
  });

  it('fires very many transactions of one account, a few of them at a time', async () => {
    const accountId = await ledgerClient(world, tenantId).open({}, '1000');
    const tasks: RoomBody[] = [];
    while (tasks.length < 30) tasks.push(await schedule(ask, 1, debit(accountId, '1')));
    let open = 0;
    let most = 0;
    const commit: Db['commit'] = async (writes) => {
      open += 1;
      most = Math.max(most, open);
      return world.db.commit(writes).finally(() => {
        open -= 1;
      });
    };
    const doors = { ...world, db: { ...world.db, commit } };
    expect(await outcomes(fire(tasks, doors))).toEqual(fulfilled(30));
    expect(most).toBeLessThanOrEqual(20);
    // Whom the others were in the way comes again.
    while (world.sent.length > 0) {
      const again = world.sent.splice(0).filter((it) => it.queue === 'tasks');
      world.clock.advance(5 * SECOND_MS);
      await fireTasks(
        again.map((it) => TaskMessage.parse(it.body)),
        world,
      );
    }
    expect(await statesOf(tasks)).toEqual(tasks.map(() => 'fired'));
  });

  it('comes again a little later, each by itself, when nothing can be read', async () => {
    const tasks = await scheduleMany(3);
    world.sent.splice(0);
    const down = () => Promise.reject(new Problem('unavailable'));
    const settled = await fire(tasks, { ...world, db: { ...world.db, get: down, getAll: down } });
    expect(settled.map((it) => it.status)).toEqual(fulfilled(3));
    expect(world.sent).toHaveLength(3);
    for (const { atMs } of world.sent) {
      expect(atMs).toBeGreaterThan(NOON_MS + SECOND_MS);
    }
  });
});

describe('the messages of the sweeper', () => {
  it('have each task once, and a worker that dies among them leaves none behind', async () => {
    await sweepTable('tasks', world);
    const tasks: RoomBody[] = [];
    const dueMs = NOON_MS + 10 * MINUTE_MS;
    while (tasks.length < 40) tasks.push(await scheduleAt(dueMs + 20 * (tasks.length % 30)));
    world.sent.splice(0);
    world.clock.set(dueMs - MINUTE_MS);
    await sweepTable('tasks', world);
    const messages = world.sent.splice(0).map((it) => TaskMessage.parse(it.body));
    const named = messages.flatMap(tasksIn).map((it) => it.pk);
    const all = tasks.map((it) => messageOf(tenantId, it).pk);
    expect(named.toSorted()).toEqual(all.toSorted());
    expect(messages.length).toBeLessThan(40);

    let commits = 0;
    const commit: Db['commit'] = async (writes) => {
      commits += 1;
      return commits < 4 ? world.db.commit(writes) : new Promise(() => undefined);
    };
    world.clock.set(dueMs - SECOND_MS);
    void fireTasks(messages, { ...world, db: { ...world.db, commit } });
    await eventually(() => expect(commits).toBe(4));
    const before = await eventsOf(world, tenantId);
    expect(before.length).toBeGreaterThan(0);
    expect(before.length).toBeLessThan(40);

    await fireTasks(messages.toReversed(), world);
    expect(await statesOf(tasks)).toEqual(tasks.map(() => 'fired'));
    expect(await eventsOf(world, tenantId)).toHaveLength(40);
    const fired = await Promise.all(tasks.map(({ id }) => ask(`GET /v1/tasks/${id}`)));
    for (const { body } of fired) {
      expect(Date.parse(String(body.firedAt))).toBeGreaterThanOrEqual(
        Date.parse(String(body.dueAt)),
      );
    }
    expect(checkTasks(await takeSnapshot(world.client, world.tables))).toEqual([]);
  });
});
