import { beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { eventsTaker, type TakeEvents } from '../../functions/tenants/take-events.ts';
import { NOON_MS, newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { seeded } from './limiter-fleet.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

/** How many of these requests an instance lets through. */
async function countFree(
  take: TakeEvents,
  asked: { tenantId: string; dailyEvents: number },
  n = 1,
) {
  let free = 0;
  for (let at = 0; at < n; at += 1) {
    if ((await take(world, { ...asked, count: 1 })).isFree) free += 1;
  }
  return free;
}

describe('the events of a day', () => {
  it('are as many as the limit says, to the last one', async () => {
    const asked = { tenantId: newTenant(world), dailyEvents: 250 };
    expect(await countFree(eventsTaker(), asked, 300)).toBe(250);
  });

  it('begin anew at midnight, UTC, until which one is told to wait', async () => {
    const asked = { tenantId: newTenant(world), dailyEvents: 3 };
    const [one, other] = [eventsTaker(), eventsTaker()];
    const midnight = NOON_MS - (NOON_MS % DAY_MS) + DAY_MS;
    world.clock.set(midnight - 1.5 * SECOND_MS);
    expect(await countFree(one, asked, 4)).toBe(3);
    expect(await one(world, { ...asked, count: 1 })).toMatchObject({
      isFree: false,
      retryAfterSeconds: 2,
    });
    world.clock.set(midnight);
    expect(await countFree(other, asked, 2)).toBe(2);
    expect(await countFree(one, asked, 2)).toBe(1);
    world.clock.set(NOON_MS);
  });

  it('are never more for all instances together, whoever dies', async () => {
    const random = seeded(7);
    const asked = { tenantId: newTenant(world), dailyEvents: 2_000 };
    const instances = Array.from({ length: 8 }, eventsTaker);
    let free = 0;
    let deaths = 0;
    for (let at = 0; at < 2_600; at += 1) {
      world.clock.advance(20);
      const which = Math.floor(random() * instances.length);
      const take = instances[which] as TakeEvents;
      const count = random() < 0.05 ? 10 : 1;
      if ((await take(world, { ...asked, count })).isFree) free += count;
      if (random() < 0.002) {
        instances[which] = eventsTaker();
        deaths += 1;
      }
    }
    expect(free).toBeLessThanOrEqual(2_000);
    // What the dead had reserved, and what the idle hold, is refused at the end.
    expect(free).toBeGreaterThanOrEqual(2_000 - 100 * (deaths + 1));
    world.clock.set(NOON_MS);
  });

  it('cost a hundredth of a write where many come, one where few do', async () => {
    const writes = async (dailyEvents: number, events: number, gapMs: number) => {
      const asked = { tenantId: newTenant(world), dailyEvents };
      const take = eventsTaker();
      world.units.splice(0);
      for (let at = 0; at < events; at += 1) {
        world.clock.advance(gapMs);
        await take(world, { ...asked, count: 1 });
      }
      return world.takeUnits();
    };
    const busy = await writes(1_000_000, 2_000, 1);
    expect(busy).toBeGreaterThanOrEqual(20);
    expect(busy).toBeLessThan(40);
    expect(await writes(1_000_000, 20, 20 * SECOND_MS)).toBe(20);
    expect(await writes(1, 20, 1)).toBe(1);
    world.clock.set(NOON_MS);
  });

  it('are all of a batch or none of it', async () => {
    const asked = { tenantId: newTenant(world), dailyEvents: 10 };
    const take = eventsTaker();
    const isFree = async (count: number) => (await take(world, { ...asked, count })).isFree;
    expect([await isFree(6), await isFree(5), await isFree(4), await isFree(1)]).toEqual([
      ...[true, false],
      ...[true, false],
    ]);
  });

  it('can be given back', async () => {
    const asked = { tenantId: newTenant(world), dailyEvents: 2, count: 2 };
    const take = eventsTaker();
    const turn = await take(world, asked);
    turn.giveBack();
    expect((await take(world, asked)).isFree).toBe(true);
    const refused = await take(world, asked);
    refused.giveBack();
    expect((await take(world, asked)).isFree).toBe(false);
  });

  it('are more when the limit was raised, and end at once when it was lowered', async () => {
    const tenantId = newTenant(world);
    const take = eventsTaker();
    expect(await countFree(take, { tenantId, dailyEvents: 2 }, 3)).toBe(2);
    expect(await countFree(take, { tenantId, dailyEvents: 4 }, 3)).toBe(2);
    expect(await countFree(take, { tenantId, dailyEvents: 3 }, 1)).toBe(0);
  });

  it('are nothing that an outage gives away', async () => {
    const down = { ...world, db: { ...world.db, commit: () => Promise.reject(new Error('down')) } };
    const asked = { tenantId: newTenant(world), dailyEvents: 5, count: 1 };
    await expect(eventsTaker()(down, asked)).rejects.toThrow('down');
  });
});
