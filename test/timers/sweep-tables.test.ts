import { beforeEach, describe, expect, it } from 'vitest';
import { minutePartition, sortableMs } from '../../functions/shared/sortable.ts';
import type { Db, Query } from '../../functions/shared/world.ts';
import { findSweep, putSweep } from '../../functions/timers/sweep.store.ts';
import { sweepTable, sweepTables } from '../../functions/timers/sweep-tables.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import {
  minuteNow as minuteOf,
  putDue as putRows,
  type Rows,
  sweepRests,
  tickOnce,
} from './sweep-house.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
/** What one tick sends of one minute and shard. */
const PART = 1_250;

let world: TestWorld;
beforeEach(async () => {
  world = await testWorld();
  await sweepTable('deliveries', world);
});

const minuteNow = () => minuteOf(world);
const putDue = (rows: Rows) => putRows(world, rows);
/** The rows of the deliveries for which a tick sends a message. */
const tick = async (sweeping = world) => (await tickOnce(sweeping)).rows;

/** A table whose pages of one partition are small, and noted; each takes its time. */
function pagesOf(limit: number, partition: string, msEach = 0) {
  const pages: Query[] = [];
  const query: Db['query'] = (it) => {
    if (it.pk !== partition) return world.db.query(it);
    pages.push(it);
    world.clock.advance(msEach);
    return world.db.query({ ...it, limit });
  };
  return { pages, world: { ...world, db: { ...world.db, query } } };
}

describe('a minute with very many entries in one shard', () => {
  it('is begun, and its rest is handed over, each entry once', async () => {
    const minute = minuteNow() + 4;
    await putDue({ count: 2 * PART + 100, minute, name: 'many' });
    await putDue({ count: 1, minute, shard: 4, name: 'shard' });
    await putDue({ count: 1, minute: minute + 1, name: 'later' });
    world.clock.advance(3 * MINUTE_MS);
    const begun = await tickOnce(world);
    expect(begun.rows).toHaveLength(PART + 2);
    expect(begun.rows).toEqual(expect.arrayContaining(['shard000000', 'later000000']));
    expect(begun.rests).toMatchObject([
      { table: 'deliveries', partition: minutePartition(minute, 3) },
    ]);

    const rest = await sweepRests(world, begun.rests);
    expect(rest.rests).toEqual([]);
    expect(rest.rows).toHaveLength(PART + 100);
    expect(new Set([...begun.rows, ...rest.rows]).size).toBe(2 * PART + 102);
    expect(await tickOnce(world)).toEqual({ rows: [], rests: [] });
  });

  it('is handed on when the time of the worker is over, and none of it is skipped', async () => {
    await putDue({ count: 3 * PART, minute: minuteNow() + 4, name: 'many' });
    world.clock.advance(3 * MINUTE_MS);
    const begun = await tickOnce(world);
    const [rest] = begun.rests;
    if (!rest) throw new Error('nothing was handed over');
    const slow: TestWorld['queues'] = {
      send: (queue, messages) => {
        world.clock.advance(20_000);
        return world.queues.send(queue, messages);
      },
    };
    const first = await sweepRests({ ...world, queues: slow }, [rest], 36_000);
    // It begins nothing new in its last 15 seconds: each call takes 20.
    expect([first.rows.length, first.rests.length]).toEqual([500, 1]);
    const second = await sweepRests(world, first.rests);
    const rows = [...begun.rows, ...first.rows, ...second.rows];
    expect([rows.length, new Set(rows).size]).toEqual([3 * PART, 3 * PART]);
  });

  it('is not read to its end before any of it is overdue', async () => {
    const minute = minuteNow() + 3;
    await putDue({ count: 25, minute, name: 'many' });
    const paged = pagesOf(10, minutePartition(minute, 3));
    world.clock.advance(MINUTE_MS);
    expect(await tick(paged.world)).toHaveLength(25);
    expect(paged.pages.splice(0)).toHaveLength(3);
    for (let early = 0; early < 2; early += 1) {
      world.clock.advance(MINUTE_MS);
      expect(await tick(paged.world)).toEqual([]);
      expect(paged.pages.splice(0)).toHaveLength(1);
    }
    world.clock.advance(MINUTE_MS);
    expect(await tick(paged.world)).toHaveLength(25);
  });

  it('is left when the time is up, also where nothing of it is to be sent', async () => {
    const minute = minuteNow() + 3;
    await putDue({ count: 25, minute, name: 'many' });
    const paged = pagesOf(10, minutePartition(minute, 3), 20_000);
    world.clock.advance(MINUTE_MS);
    await tick();
    world.clock.advance(6 * MINUTE_MS);
    const startMs = world.clock.nowMs();
    expect((await tickOnce(paged.world, { stopMs: startMs + 30_000 })).rows).toEqual([]);
    expect(paged.pages).toHaveLength(2);
    world.clock.set(startMs + MINUTE_MS);
    expect(await tick()).toHaveLength(25);
  });

  it('comes again when the queue of the room does not take the rest', async () => {
    const rest = {
      ...{ table: 'deliveries' as const, from: '0' },
      partition: minutePartition(minuteNow(), 3),
    };
    await putDue({ count: 2, minute: minuteNow(), name: 'a' });
    for (const send of [async () => [1], () => Promise.reject(new Error('down'))]) {
      const refusing = { ...world, queues: { send } };
      await expect(sweepRests(refusing, [rest])).rejects.toThrow('did not take');
    }
  });

  it.each<[string, () => Promise<number[]>]>([
    ['refuses', async () => [0]],
    ['is out of order', () => Promise.reject(new Error('down'))],
  ])('is swept in parts by the ticks where the queue of rests %s', async (_what, answer) => {
    await putDue({ count: 2 * PART + 100, minute: minuteNow() + 4, name: 'many' });
    world.clock.advance(3 * MINUTE_MS);
    const { send } = world.queues;
    const queues: TestWorld['queues'] = {
      send: (queue, messages) => (queue === 'sweeps' ? answer() : send(queue, messages)),
    };
    const parts = [await tick({ ...world, queues }), await tick(), await tick(), await tick()];
    expect(parts.map((it) => it.length)).toEqual([PART, PART, 100, 0]);
    expect(new Set(parts.flat()).size).toBe(2 * PART + 100);
  });

  it('of a dead receiver is sent again in turn, and starves no other retries', async () => {
    await putDue({ count: PART + 50, minute: minuteNow() + 3, name: 'dead' });
    world.clock.advance(MINUTE_MS);
    await tick();
    await tick();
    world.clock.advance(17 * MINUTE_MS);
    await putDue({ count: 1, minute: minuteNow(), name: 'fresh' });
    const parts = [await tick(), await tick()];
    expect(parts.map((it) => it.length)).toEqual([PART + 1, 50]);
    expect(parts[0]).toContain('fresh000000');
  });
});

describe('a queue that takes nothing', () => {
  it.each<[string, () => Promise<number[]>]>([
    ['refuses', async () => [7]],
    ['is out of order', () => Promise.reject(new Error('down'))],
  ])(
    'any more, because it %s, gets the rest at the next tick, and no copies',
    async (_, answer) => {
      await putDue({ count: 900, minute: minuteNow() + 3, name: 'a' });
      world.clock.advance(2 * MINUTE_MS);
      const { send } = world.queues;
      let calls = 0;
      const queues: TestWorld['queues'] = {
        send: (queue, messages) => (++calls > 2 ? answer() : send(queue, messages)),
      };
      const first = await tick({ ...world, queues });
      const second = await tick();
      expect([first.length, second.length]).toEqual([500, 400]);
      expect(new Set([...first, ...second]).size).toBe(900);
    },
  );

  it('gets the same entries at the next tick, and those of other minutes as well', async () => {
    await putDue({ count: 2, minute: minuteNow() + 3, name: 'a' });
    await putDue({ count: 1, minute: minuteNow() + 4, name: 'b' });
    world.clock.advance(2 * MINUTE_MS);
    const down = { ...world, queues: { send: () => Promise.reject(new Error('down')) } };
    expect(await tick(down)).toEqual([]);
    expect((await tick()).sort()).toEqual(['a000000', 'a000001', 'b000000']);
    expect(await tick()).toEqual([]);
  });
});

describe('a damaged entry', () => {
  it('stops no other, and is told of until its minute is a day old', async () => {
    const minute = minuteNow() + 3;
    const place = { pk: 'bad', sk: 'bad', duePk: minutePartition(minute, 3), dueSk: 'soon' };
    await world.db.commit([{ kind: 'put', table: 'deliveries', item: place }]);
    await putDue({ count: 1, minute, name: 'good' });
    world.clock.advance(MINUTE_MS);
    const counted: [string, number | undefined][] = [];
    const count = (name: string, value?: number) => void counted.push([name, value]);
    expect(await tick({ ...world, metrics: { count } })).toEqual(['good000000']);
    expect(counted).toEqual([['UnreadableRows', 1]]);
    expect(world.lines).toContainEqual(
      expect.objectContaining({ event: 'sweep.unreadable', table: 'deliveries', minute }),
    );
    await world.db.commit([
      { kind: 'remove', table: 'deliveries', key: { pk: 'good', sk: 'good000000' } },
    ]);
    world.clock.advance(15 * MINUTE_MS);
    await tick();
    const sweep = await findSweep(world.db, 'deliveries');
    expect(sweep?.watch.open).toMatchObject([{ minute }]);
    if (!sweep) return;

    // As if it had swept all of the day.
    world.clock.advance(24 * 60 * MINUTE_MS);
    const watch = { ...sweep.watch, through: minuteNow() - 11 };
    await world.db.commit([putSweep('deliveries', { ...sweep, watch })]);
    await tick();
    expect((await findSweep(world.db, 'deliveries'))?.watch.open).toEqual([]);
  });
});

describe('an entry that nobody gets done', () => {
  /** A multiple of what lies between two sends of what is overdue. */
  const STEP = 40 * MINUTE_MS;

  /** As if it had ticked each minute, and found nothing but what it had left open. */
  async function tickOn(ticks: number, sweeping = world): Promise<number> {
    let sends = 0;
    for (let nth = 0; nth < ticks; nth += 1) {
      world.clock.advance(STEP);
      await pass();
      sends += (await tick(sweeping)).length;
    }
    return sends;
  }

  async function pass(): Promise<void> {
    const sweep = await findSweep(world.db, 'deliveries');
    if (!sweep) throw new Error('it was never swept');
    const watch = { ...sweep.watch, through: Math.max(sweep.watch.through, minuteNow() - 11) };
    await world.db.commit([putSweep('deliveries', { ...sweep, watch })]);
  }

  /** Overdue by a quarter of an hour, at which the sweeper sends it. */
  async function putPoison(count: number): Promise<void> {
    await putDue({ count, minute: minuteNow() + 3, name: 'poison' });
    world.clock.advance(18 * MINUTE_MS);
    expect(await tick()).toHaveLength(count);
  }

  it('is given up after ten sends and six hours, and holds up nobody after that', async () => {
    await putPoison(3);
    const sends = await tickOn(12);
    expect(sends).toBe(3 * 9);
    expect(world.parked.splice(0).map(({ queue, body }) => [queue, body.sk])).toEqual([
      ['delivery-slow', 'poison000000'],
      ['delivery-slow', 'poison000001'],
      ['delivery-slow', 'poison000002'],
    ]);
    expect(await tickOn(2)).toBe(0);
    expect(world.parked).toEqual([]);
    expect((await findSweep(world.db, 'deliveries'))?.watch.open).toEqual([]);
    expect(world.lines).toContainEqual(expect.objectContaining({ event: 'sweep.given-up' }));
  });

  it('is not given up because the sweeper itself stood still', async () => {
    await putPoison(1);
    world.clock.advance(3 * DAY_MS);
    expect(await tickOn(8)).toBe(8);
    expect(world.parked).toEqual([]);
  });

  it('is given up once, also where that takes more than one tick', async () => {
    await putPoison(40);
    await putDue({ count: 3, minute: minuteNow() - 15, shard: 5, name: 'other' });
    await tickOn(9);
    const { query } = world.db;
    for (let nth = 0; nth < 6; nth += 1) {
      const endsMs = world.clock.nowMs() + 40 * MINUTE_MS + 1_000;
      let pages = 0;
      const small = {
        ...world.db,
        query: async (it: Parameters<typeof query>[0]) => {
          const page = await query({ ...it, limit: 10 });
          if (page.items.length > 0) pages += 1;
          if (pages > 2) world.clock.set(endsMs);
          return page;
        },
      };
      world.clock.advance(40 * MINUTE_MS);
      await pass();
      await sweepTable('deliveries', { ...world, db: small }, { stopMs: endsMs });
    }
    const parked = world.parked.splice(0).map(({ body }) => body.sk);
    expect(parked).toHaveLength(43);
    expect(new Set(parked).size).toBe(43);
    expect((await findSweep(world.db, 'deliveries'))?.stops).toEqual({});
  });

  it('stays due while its dead letters are not taken', async () => {
    await putPoison(1);
    const down = { send: () => Promise.reject(new Error('down')) };
    await tickOn(14, { ...world, deadLetterQueues: down });
    await tickOn(1);
    expect(world.parked.map(({ body }) => body.sk)).toEqual(['poison000000']);
  });
});

describe('a minute that was empty', () => {
  it.each([
    [1, 2],
    [2, 10],
    [5, 10],
    [9, 10],
  ])('and gets an entry when it is %i minutes old is looked at when it is %i', async (at, seen) => {
    const minute = minuteNow();
    const sentAt: number[] = [];
    for (let age = 1; age <= 10; age += 1) {
      world.clock.advance(MINUTE_MS);
      if ((await tick()).length > 0) sentAt.push(age);
      // Of a clock that is slow: it is due by that, and by ours since long.
      if (age === at) await putDue({ count: 1, minute, name: 'late' });
    }
    expect(sentAt[0]).toBe(seen);
  });

  it('that was not looked at when it was new is looked at however old it is', async () => {
    const minute = minuteNow() + 5;
    await putDue({ count: 1, minute, name: 'missed' });
    world.clock.advance(9 * MINUTE_MS);
    expect(await tick()).toEqual(['missed000000']);
  });
});

describe('a tick', () => {
  it('hands what is due in any table to the room that owns it', async () => {
    await sweepTables(world);
    const owners = {
      ...{ deliveries: 'delivery-slow', endpoints: 'endpoint-care', files: 'file-care' },
      ...{ ledger: 'hold-expiry', control: 'audits', tasks: 'tasks' },
    } as const;
    const tables = Object.keys(owners) as (keyof typeof owners)[];
    const minute = minuteNow() + 3;
    for (const table of tables) {
      const duePk = minutePartition(minute, 5);
      const item = { pk: table, sk: 'x', duePk, dueSk: `${sortableMs(minute * MINUTE_MS)}#x` };
      await world.db.commit([{ kind: 'put', table, item }]);
    }
    world.clock.advance(2 * MINUTE_MS);

    await sweepTables(world);

    const queues = world.sent.map(({ queue, body }) => [body.pk, queue]);
    expect(Object.fromEntries(queues)).toEqual(owners);
    expect(queues).toHaveLength(tables.length);
  });

  it('is fair among the endpoints of deliveries, and among tenants in all else', async () => {
    await sweepTables(world);
    const minute = minuteNow() + 3;
    const rows = [
      ['deliveries', 'ten_a#end_b#3'],
      ['tasks', 'ten_a#tsk_c'],
      ['control', 'ten_a'],
    ] as const;
    for (const [table, pk] of rows) {
      const duePk = minutePartition(minute, 5);
      const item = { pk, sk: 'x', duePk, dueSk: `${sortableMs(minute * MINUTE_MS)}#x` };
      await world.db.commit([{ kind: 'put', table, item }]);
    }
    world.clock.advance(2 * MINUTE_MS);
    await sweepTables(world);
    const groups = world.sent.map(({ body, group }) => [body.pk, group]);
    expect(Object.fromEntries(groups)).toEqual({
      ...{ 'ten_a#end_b#3': 'end_b', 'ten_a#tsk_c': 'ten_a', ten_a: 'ten_a' },
    });
  });

  it('that cannot sweep one table sweeps all others first, and fails uncounted', async () => {
    const counted: string[] = [];
    const counting = { ...world, metrics: { count: (name: string) => void counted.push(name) } };
    await sweepTables(counting);
    expect(counted).toEqual(['SweeperTicks']);

    await putDue({ count: 1, minute: minuteNow() + 3, name: 'a' });
    world.clock.advance(2 * MINUTE_MS);
    const odd = { pk: 'W#control', sk: '#', through: 'yesterday' };
    await world.db.commit([{ kind: 'put', table: 'control', item: odd }]);
    await expect(sweepTables(counting)).rejects.toThrow();
    expect(world.sent.map(({ body }) => body.sk)).toEqual(['a000000']);
    expect(counted).toEqual(['SweeperTicks']);
  });

  it('that comes after an outage stops in time, and the next one goes on from there', async () => {
    await putDue({ count: 1, minute: minuteNow() + 25, name: 'late' });
    world.clock.advance(40 * MINUTE_MS);
    const { query } = world.db;
    const slow = {
      ...world,
      db: {
        ...world.db,
        query: async (it: Parameters<typeof query>[0]) => {
          // Of one table only: they share the clock, and the quick ones would use it up.
          if (it.table === 'deliveries') world.clock.advance(500);
          return query(it);
        },
      },
    };
    const found: string[] = [];
    for (let nth = 0; nth < 15 && found.length === 0; nth += 1) {
      world.sent.splice(0);
      const startMs = world.clock.nowMs();
      await sweepTables(slow, { stopMs: startMs + 45_000 });
      expect(world.clock.nowMs() - startMs).toBeLessThan(46_000);
      found.push(...world.sent.map((it) => String(it.body.sk)));
    }
    expect(found).toEqual(['late000000']);
  });
});
