import { beforeAll, describe, expect, it } from 'vitest';
import { eventKey, insertEvent } from '../../functions/events/event.store.ts';
import { repairDue, type TableRepair } from '../../functions/operations/repair-due.ts';
import { findOrphans, repairWatches } from '../../functions/operations/repair-outbox.ts';
import { repairTasks } from '../../functions/operations/repair-tasks.ts';
import { DAY_MS, MINUTE_MS } from '../../functions/shared/units.ts';
import type { Commit, Db, Item, Key, Reason, TableName } from '../../functions/shared/world.ts';
import { fireTask } from '../../functions/tasks/fire-task.ts';
import { findTask, taskKey } from '../../functions/tasks/task.store.ts';
import { findSweep, putSweep } from '../../functions/timers/sweep.store.ts';
import { findWatches, putWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
import { scanPages, scanTable } from '../support/invariants/snapshot.ts';
import { checkTasks } from '../support/invariants/tasks.ts';
import { HELLO, messageOf, schedule, tasksClient, tasksWorld } from '../tasks/tasks-house.ts';

type House = Awaited<ReturnType<typeof house>>;

/** Tables of its own, because a repair is about all that is in them. */
async function house() {
  const world = await tasksWorld();
  const mends: string[] = [];
  const losses: string[] = [];
  const repair = (dryRun = false): TableRepair => ({
    dryRun,
    scan: (table: TableName) => scanPages(world.client, world.tables[table]),
    mended: (what, id) => mends.push(`${what} ${id}`),
    lost: ({ id, detail }) => losses.push(`${id}: ${detail}`),
  });
  const client = tasksClient(world);
  return { ...client, world, mends, losses, repair };
}

async function fired({ ask, tenantId, world }: House, action: object = HELLO) {
  const task = await schedule(ask, 60, action);
  const name = taskKey(tenantId, task.id);
  const before = await world.db.get('tasks', name);
  world.clock.advance(MINUTE_MS);
  await fireTask(messageOf(tenantId, task), world);
  const after = await findTask(world.db, tenantId, task.id);
  expect(after?.state).toBe('fired');
  /** The table of tasks is of an earlier second than the others. */
  const comeBack = () =>
    world.db.commit([{ kind: 'put', table: 'tasks', item: { ...name, ...before } }]);
  const event = eventKey(tenantId, after?.eventId ?? '');
  const eventItem = await world.db.get('outbox', event);
  /** The outbox is of an earlier second. */
  const loseEvent = () => world.db.commit([{ kind: 'remove', table: 'outbox', key: event }]);
  return { id: task.id, after, event, eventItem, comeBack, loseEvent };
}

async function transfer({ world, tenantId }: House): Promise<object> {
  const accountId = await ledgerClient(world, tenantId).open({}, '500');
  const money = { type: 'debit', accountId, amount: '5', currency: 'EUR' };
  return { type: 'transaction', transaction: money };
}

async function violations({ world }: House): Promise<string[]> {
  const [tasks = [], outbox = [], ledger = []] = await Promise.all(
    (['tasks', 'outbox', 'ledger'] as const).map((it) => scanTable(world.client, world.tables[it])),
  );
  return checkTasks({ tasks, outbox, ledger });
}

describe('tasks that were torn from what they did', () => {
  it.each(['event', 'transaction'])('get their lost event again: %s', async (kind) => {
    const at = await house();
    const task = await fired(at, kind === 'event' ? HELLO : await transfer(at));
    await task.loseEvent();
    expect(await violations(at)).not.toEqual([]);

    await repairTasks(at.world, at.repair(true));
    expect(await at.world.db.get('outbox', task.event)).toBeUndefined();
    await repairTasks(at.world, at.repair());
    await repairTasks(at.world, at.repair());

    expect(at.mends).toEqual(Array(2).fill(`event of a task ${task.after?.eventId}`));
    expect(at.losses).toEqual([]);
    expect(await at.world.db.get('outbox', task.event)).toEqual(task.eventItem);
    expect(await violations(at)).toEqual([]);
  });

  it.each([true, false])(
    'have fired when their transaction is posted; told: %s',
    async (isTold) => {
      const at = await house();
      const task = await fired(at, await transfer(at));
      await task.comeBack();
      if (!isTold) await task.loseEvent();

      await repairTasks(at.world, at.repair());

      const now = await findTask(at.world.db, at.tenantId, task.id);
      expect(now).toMatchObject({ state: 'fired', transactionId: task.after?.transactionId });
      if (isTold) expect(now?.eventId).toBe(task.after?.eventId);
      expect(at.mends).toEqual([`end of a task ${task.id}`]);
      expect(await violations(at)).toEqual([]);
    },
  );

  it('are told of when they look as if they had sent their event', async () => {
    const at = await house();
    const task = await fired(at);
    await task.comeBack();
    await repairTasks(at.world, at.repair());
    expect(at.losses).toEqual([
      `${task.id}: it is due, and ${task.after?.eventId} says the same: it may fire again, \
unless cancelled`,
    ]);
    expect(await findTask(at.world.db, at.tenantId, task.id)).toMatchObject({ state: 'scheduled' });
  });

  it('are told of when the transaction is lost that they posted', async () => {
    const at = await house();
    const { id, after } = await fired(at, await transfer(at));
    const { pk } = taskKey(at.tenantId, String(after?.transactionId).replace('txn_', ''));
    await at.world.db.commit([{ kind: 'remove', table: 'ledger', key: { pk, sk: '#' } }]);
    await repairTasks(at.world, at.repair());
    expect(at.losses).toEqual([
      `${id}: it has fired, and ${after?.transactionId}, which it posted, is lost`,
    ]);
  });
});

/** The database, where every commit meets with this. */
function refusing(db: Db, code: Reason['code']): Db {
  return { ...db, commit: async (): Promise<Commit> => ({ ok: false, reasons: [{ code }] }) };
}

describe('what was not put right', () => {
  /** A task whose event is lost, and one that nobody finds. */
  async function torn() {
    const at = await house();
    const task = await fired(at);
    await task.loseEvent();
    const other = await schedule(at.ask, 3_600);
    const key = taskKey(at.tenantId, other.id);
    const item = { ...(await at.world.db.get('tasks', key)), duePk: undefined, dueSk: undefined };
    await at.world.db.commit([{ kind: 'put', table: 'tasks', item: { ...key, ...item } }]);
    return at;
  }

  it('is not told of when somebody else did it', async () => {
    const at = await torn();
    const world = { ...at.world, db: refusing(at.world.db, 'condition') };
    await repairTasks(world, at.repair());
    await repairDue(world, 'tasks', at.repair());
    expect(at.mends).toEqual([]);
  });

  it('ends the repair when it was refused', async () => {
    const at = await torn();
    const world = { ...at.world, db: refusing(at.world.db, 'throttled') };
    const again = /was refused for throttled: run it again$/;
    await expect(repairTasks(world, at.repair())).rejects.toThrow(again);
    await expect(repairDue(world, 'tasks', at.repair())).rejects.toThrow(again);
    expect(at.mends).toEqual([]);
  });
});

describe('what is due', () => {
  const minuteOf = ({ world }: House) => Math.floor(world.clock.nowMs() / MINUTE_MS);

  async function setTask({ world, tenantId }: House, id: string, more: Item): Promise<Item> {
    const key = taskKey(tenantId, id);
    const item = { ...(await world.db.get('tasks', key)), ...more };
    await world.db.commit([{ kind: 'put', table: 'tasks', item: { ...key, ...item } }]);
    return item;
  }

  it('is filed again where it was not, at its time', async () => {
    const at = await house();
    const task = await schedule(at.ask, 3_600);
    const key = taskKey(at.tenantId, task.id);
    const was = await at.world.db.get('tasks', key);
    await setTask(at, task.id, { duePk: undefined, dueSk: undefined });

    await repairDue(at.world, 'tasks', at.repair(true));
    expect((await at.world.db.get('tasks', key))?.duePk).toBeUndefined();
    await repairDue(at.world, 'tasks', at.repair());
    await repairDue(at.world, 'tasks', at.repair());

    expect(at.mends).toEqual([`due ${task.id}`, `due ${task.id}`]);
    expect(await at.world.db.get('tasks', key)).toEqual(was);
  });

  it('is filed anew where the sweeper has passed it, and not where its marks keep it', async () => {
    const at = await house();
    const [lost, kept] = [await schedule(at.ask, 60), await schedule(at.ask, 180)];
    at.world.clock.advance(60 * MINUTE_MS);
    const minute = minuteOf(at);
    const open = [{ minute: minute - 57, againMs: 0 }];
    const watch = { through: minute - 10, open };
    await at.world.db.commit([putSweep('tasks', { watch, seenMs: 0, stops: {}, busy: [] })]);

    await repairDue(at.world, 'tasks', at.repair());

    expect(at.mends).toEqual([`due ${lost.id}`]);
    const item = await at.world.db.get('tasks', taskKey(at.tenantId, lost.id));
    const sweep = await findSweep(at.world.db, 'tasks');
    expect(sweep?.watch.through).toBe(minute - 10);
    expect(String(item?.dueSk)).toMatch(new RegExp(`^${Date.parse(String(lost.dueAt))}#`));
    const other = await at.world.db.get('tasks', taskKey(at.tenantId, kept.id));
    expect(String(other?.duePk) < String(item?.duePk)).toBe(true);
  });

  it('is told of where it cannot be read', async () => {
    const at = await house();
    const task = await schedule(at.ask, 60);
    await setTask(at, task.id, { state: 'odd' });
    await repairDue(at.world, 'tasks', at.repair());
    expect(at.losses).toEqual([
      `${task.id}: tasks has a row of it that cannot be read: ${at.tenantId}#${task.id} #`,
    ]);
  });
});

it('of releases is looked at whatever their kind is, but not in a later form', async () => {
  const at = await house();
  const dueMs = at.world.clock.nowMs() + MINUTE_MS;
  const release = (id: string, more: Item): Item & Key => ({
    ...{ pk: `${at.tenantId}#end_1`, sk: `REL#held#${id}`, v: 1, id, due: dueMs, ...more },
  });
  const items = [
    release('rpl_1', { kind: 'of tomorrow', status: 'running' }),
    release('rpl_2', { kind: 'replay', status: 'done', due: undefined }),
    release('rpl_3', { v: 2 }),
  ];
  await at.world.db.commit(items.map((item) => ({ kind: 'put', table: 'endpoints', item })));

  await repairDue(at.world, 'endpoints', at.repair());

  expect(at.mends).toEqual(['due rpl_1']);
  expect(at.losses).toEqual([expect.stringContaining('rpl_3: endpoints has a row of it')]);
});

describe('the outbox', () => {
  let at: House;
  beforeAll(async () => {
    at = await house();
  });
  const addTo = async ({ world, tenantId }: House) => {
    const id = world.ids.next('evt');
    const about = { tenantId, type: 'app.hello', data: '{}', occurredAtMs: world.clock.nowMs() };
    await world.db.commit([insertEvent({ id, ...about })]);
    return id;
  };
  const add = () => addTo(at);

  it('is looked at again from an hour before its newest, or oldest unrelayed, event', async () => {
    await add();
    const minute = Math.floor(at.world.clock.nowMs() / MINUTE_MS);
    const watch = { through: minute + 5, open: [] };
    await at.world.db.commit([putWatches({ relay: watch, recheck: watch })]);

    await repairWatches(at.world, at.repair(true));
    expect((await findWatches(at.world.db)).relay?.through).toBe(minute + 5);
    await repairWatches(at.world, at.repair());
    await repairWatches(at.world, at.repair());

    const back = { through: minute - 60, open: [] };
    expect(await findWatches(at.world.db)).toEqual({ relay: back, recheck: back });
    expect(at.mends).toEqual(['watch W#outbox', 'watch W#outbox']);
  });

  /** Old events that nobody has relayed, each of its minute, and one of a month later. */
  async function withOld(count: number) {
    const own = await house();
    const first = Math.floor(own.world.clock.nowMs() / MINUTE_MS);
    for (let n = 0; n < count; n += 1) {
      await addTo(own);
      own.world.clock.advance(MINUTE_MS);
    }
    own.world.clock.advance(28 * DAY_MS);
    await addTo(own);
    const newest = Math.floor(own.world.clock.nowMs() / MINUTE_MS);
    const watch = { through: newest + 5, open: [{ minute: newest - 100, againMs: 7 }] };
    await own.world.db.commit([putWatches({ relay: watch, recheck: watch })]);
    return { own, first, newest };
  }

  it('is looked at again in the minute of an old event, and not in all that follow', async () => {
    const { own, first, newest } = await withOld(2);

    await repairWatches(own.world, own.repair());
    await repairWatches(own.world, own.repair());

    const old = [first, first + 1].map((minute) => ({ minute, againMs: 0 }));
    const back = { through: newest - 60, open: [{ minute: newest - 100, againMs: 7 }, ...old] };
    expect(await findWatches(own.world.db)).toEqual({ relay: back, recheck: back });
    expect(own.mends).toEqual(['watch W#outbox']);
  });

  it('is looked at from its oldest unrelayed event where there are very many minutes', async () => {
    const { own, first } = await withOld(501);

    await repairWatches(own.world, own.repair());

    const { relay, recheck } = await findWatches(own.world.db);
    expect([relay?.through, recheck?.through]).toEqual([first - 60, first - 60]);
    expect(relay?.open).toHaveLength(1);
  });

  it('is not looked at again while the reconciler goes on', async () => {
    await add();
    const minute = Math.floor(at.world.clock.nowMs() / MINUTE_MS);
    const watch = { through: minute + 5, open: [] };
    await at.world.db.commit([putWatches({ relay: watch, recheck: watch })]);
    const later = { ...watch, through: minute + 6 };
    const get: Db['get'] = async (...of) => {
      const item = await at.world.db.get(...of);
      await at.world.db.commit([putWatches({ relay: later, recheck: later })]);
      return item;
    };
    at.mends.splice(0);

    const repaired = repairWatches({ ...at.world, db: { ...at.world.db, get } }, at.repair());

    await expect(repaired).rejects.toThrow('stop it, and run it again');
    expect(at.mends).toEqual([]);
    expect(await findWatches(at.world.db)).toEqual({ relay: later, recheck: later });
  });

  it('is held against deliveries: those whose event is lost are told of', async () => {
    const [there, lost, old] = [await add(), at.world.ids.next('evt'), at.world.ids.next('evt')];
    const row = (eventId: string, more: Item = {}) => {
      const key = { pk: `${at.tenantId}#end_1#0`, sk: eventId };
      const item = { ...key, v: 1, status: 'retrying', ...more };
      return { kind: 'put', table: 'deliveries', item } as const;
    };
    for (const eventId of [there, lost]) await at.world.db.commit([row(eventId)]);
    await at.world.db.commit([row(`${lost}#F1`)]);
    const alert = { origin: { fileId: 'fil_', block: 0, index: 0 } };
    await at.world.db.commit([row('evt_ALERT', alert)]);
    await findOrphans(at.world, at.repair());
    expect(at.losses).toEqual([`${lost}: its event is lost; the delivery to end_1 is retrying`]);

    at.losses.splice(0);
    at.world.clock.advance(30 * DAY_MS);
    await at.world.db.commit([row(old)]);
    await findOrphans(at.world, at.repair());
    expect(at.losses).toEqual([]);
  });
});
