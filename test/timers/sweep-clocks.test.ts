import { beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../functions/shared/units.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { minuteNow, putDue, tickOnce } from './sweep-house.ts';

let world: TestWorld;
beforeEach(async () => {
  world = await testWorld();
  await sweepTable('deliveries', world);
});

/** Files an entry for six minutes on, and answers in which minute a tick finds it first. */
async function firstFind(startMs: number): Promise<number | undefined> {
  world.clock.set(startMs + MINUTE_MS / 2);
  await putDue(world, { count: 1, minute: minuteNow(world) + 6, name: 'filed' });
  const found: number[] = [];
  for (let minute = 1; minute <= 9; minute += 1) {
    world.clock.set(startMs + minute * MINUTE_MS);
    if ((await tickOnce(world)).rows.length > 0) found.push(minute);
  }
  return found[0];
}

async function ticksAhead(startMs: number, aheadMs: number): Promise<void> {
  for (let tick = 0; tick < 8; tick += 1) {
    world.clock.set(startMs + aheadMs + tick * MINUTE_MS);
    await tickOnce(world);
  }
}

describe('a tick whose clock is five minutes fast', () => {
  it('makes nothing late that is filed after it', async () => {
    const startMs = world.clock.nowMs();
    world.clock.set(startMs + 5 * MINUTE_MS);
    await tickOnce(world);
    // As far ahead as every tick finds it.
    expect(await firstFind(startMs)).toBe(4);
  });

  it('sends what it has found too early once more, and no more often', async () => {
    const startMs = world.clock.nowMs();
    await putDue(world, { count: 1, minute: minuteNow(world) + 6, name: 'filed' });
    world.clock.set(startMs + 5 * MINUTE_MS);
    expect((await tickOnce(world)).rows).toEqual(['filed000000']);
    let sent = 0;
    for (let minute = 1; minute <= 6; minute += 1) {
      world.clock.set(startMs + minute * MINUTE_MS);
      sent += (await tickOnce(world)).rows.length;
    }
    expect(sent).toBe(1);
  });
});

describe('a clock that was set far ahead, and back', () => {
  it('leaves nothing behind the marks of the sweeper', async () => {
    const startMs = world.clock.nowMs();
    await ticksAhead(startMs, 3 * HOUR_MS);
    expect(await firstFind(startMs)).toBe(4);
  });

  it('does not keep it from what it had left open', async () => {
    const startMs = world.clock.nowMs();
    await putDue(world, { count: 1, minute: minuteNow(world) + 3, name: 'open' });
    await ticksAhead(startMs, DAY_MS);
    const rows: string[] = [];
    for (let minute = 20; minute <= 25; minute += 1) {
      world.clock.set(startMs + minute * MINUTE_MS);
      rows.push(...(await tickOnce(world)).rows);
    }
    expect(rows).toContain('open000000');
  });
});
