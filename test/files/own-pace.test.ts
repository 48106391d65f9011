import { beforeAll, describe, expect, it } from 'vitest';
import { type OwnPace, takeTurn } from '../../functions/files/take-turn.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { intervalMs } from '../../functions/webhooks/pace.ts';
import { FilesHouse } from './files-house.ts';

let house: FilesHouse;
beforeAll(async () => {
  house = await FilesHouse.open();
});

/** The slots of so many users, each turn begun when the last one's slots were used. */
async function slotsOf(endpoint: Endpoint, perSecond: number, users: number) {
  const { clock } = house.world;
  const slots: { slotMs: number; takenMs: number }[] = [];
  let own: OwnPace = { perSecond, fromMs: 0 };
  while (slots.length < users) {
    const kept = { slotsMs: [], version: 0 };
    const turn = await takeTurn(house.doors, endpoint, { count: 25, kept, own });
    const takenMs = clock.nowMs();
    if (turn.kind === 'later') {
      clock.set(Math.max(takenMs, turn.atMs));
      continue;
    }
    slots.push(...turn.slotsMs.map((slotMs) => ({ slotMs, takenMs })));
    clock.set(Math.max(takenMs, ...turn.slotsMs));
    own = { perSecond, fromMs: turn.ownFromMs ?? own.fromMs };
  }
  return slots;
}

describe('a file with a limit of its own', () => {
  it.each([
    [5, undefined],
    [16, undefined],
    [0.5, undefined],
    [13, 100],
    [2, 50],
  ])('of %d per second spaces its users beside %s of its endpoint', async (rate, perSecond) => {
    const endpoint = await house.addEndpoint({ perSecond });
    const slots = await slotsOf(endpoint, rate, 40);
    const gaps = slots.slice(1).map(({ slotMs }, i) => slotMs - (slots[i]?.slotMs ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(intervalMs(rate)));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(intervalMs(rate) * 1.1 + 25);
  });

  it('uses no slot of its endpoint much later than it was taken', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 100 });
    const slots = await slotsOf(endpoint, 10, 40);
    for (const { slotMs, takenMs } of slots) expect(slotMs - takenMs).toBeLessThanOrEqual(460);
  });
});
