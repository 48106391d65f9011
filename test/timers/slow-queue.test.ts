import { beforeEach, describe, expect, it } from 'vitest';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { minuteNow, putDue } from './sweep-house.ts';

/** When a tick begins nothing new, and when Lambda kills it. */
const STOP_MS = 45 * SECOND_MS;
const KILL_MS = 55 * SECOND_MS;
/** More than go to a queue at once. */
const ROWS = 300;

let world: TestWorld;
beforeEach(async () => {
  world = await testWorld();
  await sweepTable('deliveries', world);
});

/** Doors of one tick: each call to a queue takes so long, and nothing is done after its end. */
function slow(msEach: number): TestWorld {
  const killedMs = world.clock.nowMs() + KILL_MS;
  const assertAlive = () => {
    if (world.clock.nowMs() >= killedMs) throw new Error('killed');
  };
  const send: TestWorld['queues']['send'] = async (queue, messages) => {
    assertAlive();
    const refused = await world.queues.send(queue, messages);
    world.clock.advance(msEach);
    return refused;
  };
  const commit: TestWorld['db']['commit'] = async (writes) => {
    assertAlive();
    return world.db.commit(writes);
  };
  return { ...world, queues: { send }, db: { ...world.db, commit } };
}

/** The rows that a tick sends, though it may be killed. The next one comes a minute after it. */
async function tick(msEach: number): Promise<string[]> {
  const startMs = world.clock.nowMs();
  const time = { stopMs: startMs + STOP_MS };
  await sweepTable('deliveries', slow(msEach), time).catch(() => undefined);
  world.clock.set(Math.max(startMs + MINUTE_MS, world.clock.nowMs()));
  return world.sent.splice(0).map(({ body }) => String(body.sk));
}

describe('a tick after an outage, while the room is behind', () => {
  it.each([6, 14, 26])('comes on where a call to a queue takes %i s', async (seconds) => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const [n, name] of names.entries()) {
      await putDue(world, { count: ROWS, minute: minuteNow(world) + 4 + n, name });
    }
    world.clock.advance(30 * MINUTE_MS);
    const sent: string[] = [];
    while (sent.length < 2 * names.length * ROWS && new Set(sent).size < names.length * ROWS) {
      sent.push(...(await tick(seconds * SECOND_MS)));
    }
    expect(new Set(sent).size).toBe(names.length * ROWS);
  });

  it('leaves a minute in its midst when its time is up, and goes on there', async () => {
    const minute = minuteNow(world) + 4;
    for (const shard of [1, 2]) {
      await putDue(world, { count: 3 * ROWS, minute, shard, name: `shard${shard}-` });
    }
    world.clock.advance(30 * MINUTE_MS);
    const first = await tick(8 * SECOND_MS);
    expect(first.length).toBeLessThan(6 * ROWS);
    const both = [...first, ...(await tick(8 * SECOND_MS))];
    expect([both.length, new Set(both).size]).toEqual([6 * ROWS, 6 * ROWS]);
  });
});

describe('a queue that refuses one message of a hundred', () => {
  it('is sent these again, and holds up none behind them', async () => {
    let asked = 0;
    const send: TestWorld['queues']['send'] = async (queue, messages) => {
      const refused = [...messages.keys()].filter(() => ++asked % 100 === 0);
      const taken = messages.filter((_, index) => !refused.includes(index));
      await world.queues.send(queue, taken);
      return refused;
    };
    await putDue(world, { count: 3 * ROWS, minute: minuteNow(world) + 3, name: 'row' });
    world.clock.advance(2 * MINUTE_MS);
    await sweepTable('deliveries', { ...world, queues: { send } });
    const rows = world.sent.splice(0).map(({ body }) => String(body.sk));
    expect([rows.length, new Set(rows).size]).toEqual([3 * ROWS, 3 * ROWS]);
  });
});
