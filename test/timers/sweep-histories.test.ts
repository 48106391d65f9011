import { beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Db, Key } from '../../functions/shared/world.ts';
import { dueAttributes } from '../../functions/timers/due.ts';
import { RestMessage } from '../../functions/timers/rest-message.ts';
import { findSweep } from '../../functions/timers/sweep.store.ts';
import { sweepRest } from '../../functions/timers/sweep-rest.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import { NOON_MS, type TestWorld, testWorld } from '../support/world.ts';

let shared: TestWorld;
beforeAll(async () => {
  shared = await testWorld();
});

/** Clocks may differ by so much. */
const SKEW_MS = 4 * MINUTE_MS;
const ROWS_PER_TICK = 0.4;
const LOST_SHARE = 0.3;

interface Row extends Key {
  readonly dueMs: number;
  readonly isPoison: boolean;
  sends: number;
}

/** A table with rows that come due, a sweeper at the mercy of the dice, and a room that works. */
class History {
  readonly world: TestWorld;
  readonly dice: Dice;
  readonly #seed: number;
  readonly rows = new Map<string, Row>();
  readonly #partitions = new Set<string>();
  #made = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.dice = diceOf(seed);
    this.world = { ...shared, db: { ...shared.db, query: (it) => this.#query(it) } };
  }

  /** Nobody has to be asked about minutes in which nothing was ever filed. */
  #query: Db['query'] = async (it) =>
    this.#partitions.has(it.pk) ? shared.db.query(it) : { items: [] };

  /** By a clock that may be fast or slow. */
  async file(dueInMs: number, isPoison = false): Promise<Row> {
    const { dice, world } = this;
    const skewMs = dice.chance(0.3) ? dice.below(2 * SKEW_MS) - SKEW_MS : 0;
    const writtenMs = world.clock.nowMs() + skewMs;
    const key = { pk: `${this.#seed}`, sk: `row-${this.#made++}` };
    const row = { ...key, dueMs: writtenMs + dueInMs, isPoison, sends: 0 };
    const due = dueAttributes(key, row.dueMs, writtenMs);
    this.#partitions.add(due.duePk);
    await world.db.commit([{ kind: 'put', table: 'deliveries', item: { ...key, ...due } }]);
    this.rows.set(key.sk, row);
    return row;
  }

  /** What the room does with its messages, of which some get lost. */
  async work(isWell = false): Promise<void> {
    const { dice, world } = this;
    for (const { queue, body, atMs = 0 } of world.sent.splice(0)) {
      if (queue === 'sweeps') {
        await sweepRest(RestMessage.parse(body), world, { deadlineMs: Infinity });
        continue;
      }
      const row = this.rows.get(String(body.sk));
      if (!row) continue;
      row.sends += 1;
      expect(atMs).toBeGreaterThan(Math.min(row.dueMs, world.clock.nowMs()) - 3 * SECOND_MS);
      if (row.isPoison || (!isWell && dice.chance(LOST_SHARE))) continue;
      this.rows.delete(row.sk);
      const { pk, sk } = row;
      await world.db.commit([{ kind: 'remove', table: 'deliveries', key: { pk, sk } }]);
    }
  }

  /**
   * One tick as it goes in life: it may die anywhere, come twice, come back from the dead, or have
   * a clock that is fast or slow.
   */
  async tick(): Promise<void> {
    const { dice, world } = this;
    const fate = dice.below(12);
    if (fate === 0) return void (await this.#killed());
    if (fate === 1) {
      await Promise.all([sweepTable('deliveries', world), sweepTable('deliveries', world)]);
      return;
    }
    if (fate === 2) return this.#overtaken();
    const skewMs = fate < 5 ? dice.below(2 * SKEW_MS) - SKEW_MS : 0;
    const clock = { ...world.clock, nowMs: () => world.clock.nowMs() + skewMs };
    await sweepTable('deliveries', { ...world, clock });
  }

  /** Whatever it wants after so many calls is not done. */
  async #killed(): Promise<void> {
    const { dice, world } = this;
    let left = dice.below(150);
    const mortal =
      <Asked extends unknown[], Answer>(call: (...asked: Asked) => Promise<Answer>) =>
      async (...asked: Asked): Promise<Answer> => {
        left -= 1;
        if (left < 0) throw new Error('killed');
        return call(...asked);
      };
    const { get, query, commit } = world.db;
    const db = { ...world.db, get: mortal(get), query: mortal(query), commit: mortal(commit) };
    const queues = { send: mortal(world.queues.send) };
    await sweepTable('deliveries', { ...world, db, queues }).catch(() => undefined);
  }

  /** It has read its mark, and stores it only when the next tick has long ended. */
  async #overtaken(): Promise<void> {
    const { world } = this;
    const stale: Parameters<Db['commit']>[0][] = [];
    const commit: Db['commit'] = async (writes) => {
      stale.push(writes);
      return { ok: true };
    };
    await sweepTable('deliveries', { ...world, db: { ...world.db, commit } });
    world.clock.advance(MINUTE_MS);
    await sweepTable('deliveries', world);
    for (const writes of stale) await world.db.commit(writes);
  }
}

async function start(seed: number): Promise<History> {
  shared.clock.set(NOON_MS + seed * 30 * DAY_MS);
  shared.sent.splice(0);
  shared.parked.splice(0);
  await shared.db.commit([
    { kind: 'remove', table: 'control', key: { pk: 'W#deliveries', sk: '#' } },
  ]);
  const history = new History(seed);
  await sweepTable('deliveries', history.world);
  return history;
}

const OUTAGES_MS = [10 * MINUTE_MS, HOUR_MS, DAY_MS];

describe('a sweeper that is late, doubled, killed, overtaken, or away for a day', () => {
  it.each([1, 2, 3, 4, 5, 6])('skips nothing, by the seed %i', async (seed) => {
    const history = await start(seed);
    const { world, dice } = history;
    for (let n = 0; n < 150; n += 1) {
      if (dice.chance(ROWS_PER_TICK))
        await history.file(dice.below(dice.pick([0, 1, 5, 180]) * MINUTE_MS + 1));
      world.clock.advance(dice.chance(0.2) ? dice.below(3 * MINUTE_MS) : MINUTE_MS);
      if (n % 50 === 25) world.clock.advance(dice.pick(OUTAGES_MS));
      await history.tick();
      await history.work();
    }
    // Then all is well. What was filed last is due in three hours.
    for (let n = 0; n < 200 && history.rows.size > 0; n += 1) {
      world.clock.advance(MINUTE_MS);
      await sweepTable('deliveries', world);
      await history.work(true);
    }
    expect([...history.rows.values()]).toEqual([]);
    expect(world.parked).toEqual([]);
    for (let n = 0; n < 15; n += 1) {
      world.clock.advance(MINUTE_MS);
      await sweepTable('deliveries', world);
    }
    expect((await findSweep(world.db, 'deliveries'))?.watch.open).toEqual([]);
  });

  it('parks a row that nobody gets done, and is as quick with all others', async () => {
    const history = await start(7);
    const { world } = history;
    const poison = await history.file(MINUTE_MS, true);
    for (let n = 0; n < 8 * 60; n += 1) {
      const isNew = n % 20 === 0;
      if (isNew) await history.file(0);
      world.clock.advance(MINUTE_MS);
      await sweepTable('deliveries', world);
      await history.work(true);
      // A row of a slow clock is found when its minute is ten minutes old.
      if (n % 20 === 13) expect([...history.rows.keys()]).toEqual([poison.sk]);
    }
    expect(world.parked.map(({ queue, body }) => [queue, body.sk])).toEqual([
      ['delivery-slow', poison.sk],
    ]);
    expect(poison.sends).toBeGreaterThanOrEqual(10);
    expect((await findSweep(world.db, 'deliveries'))?.watch.open).toEqual([]);
  });

  it('hands on what is overdue oldest first, at a bounded rate', async () => {
    const history = await start(8);
    const { world } = history;
    // Of a day on which nobody has swept, a row each quarter of an hour.
    world.clock.advance(15 * MINUTE_MS);
    const order: string[] = [];
    for (let n = 0; n < 96; n += 1) {
      order.push((await history.file(0)).sk);
      world.clock.advance(15 * MINUTE_MS);
    }
    const sent: string[] = [];
    const perTick: number[] = [];
    for (let n = 0; n < 10 && sent.length < order.length; n += 1) {
      await sweepTable('deliveries', world);
      const now = world.sent.splice(0).map(({ body }) => String(body.sk));
      // Some of what nobody works on is sent again.
      const fresh = now.filter((it) => !sent.includes(it));
      perTick.push(fresh.length);
      sent.push(...fresh);
      world.clock.advance(MINUTE_MS);
    }
    expect(sent).toEqual(order);
    // 240 minutes of the outage in a tick.
    expect(Math.max(...perTick)).toBeLessThanOrEqual(240 / 15 + 1);
  });
});
