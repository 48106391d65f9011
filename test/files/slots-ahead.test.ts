import { expect, it } from 'vitest';
import { takeTurn } from '../../functions/files/take-turn.ts';
import { intervalMs } from '../../functions/webhooks/pace.ts';
import { takeSlotAhead } from '../../functions/webhooks/take-slot-ahead.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { FilesHouse } from './files-house.ts';

it('leaves its slots to what a person sends again meanwhile', async () => {
  const house = await FilesHouse.open();
  const { clock } = house.world;
  const endpoint = await house.addEndpoint({ perSecond: 10 });
  await takeSlots(house.world, endpoint, 150);
  const later = await takeTurn(house.doors, endpoint, {
    count: 25,
    kept: { slotsMs: [], version: 0 },
  });
  if (later.kind !== 'later' || !later.kept) throw new Error('there is no backlog');
  clock.advance(8_000);
  const { atMs: aheadMs } = await takeSlotAhead(house.world, endpoint);
  const has = (ms: readonly number[]) => ms.some((it) => Math.abs(it - aheadMs) < intervalMs(10));
  expect(has(later.kept.slotsMs)).toBe(true);

  clock.set(later.atMs - 1_000);
  const turn = await takeTurn(house.doors, endpoint, { count: 25, kept: later.kept });
  if (turn.kind !== 'now') throw new Error('it waits');
  expect(turn.slotsMs.length).toBeGreaterThan(10);
  expect(has([...turn.slotsMs, ...turn.kept.slotsMs])).toBe(false);
});
