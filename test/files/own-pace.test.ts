import { beforeAll, describe, expect, it } from 'vitest';
import { takeTurn } from '../../functions/files/take-turn.ts';
import type { KeptSlots, OwnPaced } from '../../functions/files/turn.ts';
import { DAY_MS, MINUTE_MS } from '../../functions/shared/units.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace, paceKey } from '../../functions/webhooks/pace.store.ts';
import { filePaced, intervalMs, lastUseMs } from '../../functions/webhooks/pace.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { leastGapMs, mostInASecond } from '../webhooks/sender-crowd.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeAll(async () => {
  house = await FilesHouse.open();
});

const NONE: KeptSlots = { slotsMs: [], version: 0 };

function ownOf({ tenantId }: Endpoint, rate: number, blocks = 1): OwnPaced {
  const fileId = house.world.ids.next('fil');
  return { ...filePaced({ tenantId, fileId }, rate), blocks };
}

/** The slots of so many users, each turn begun when the last one's slots were used. */
async function slotsOf(endpoint: Endpoint, own: OwnPaced, users: number) {
  const { clock } = house.world;
  const slots: { slotMs: number; takenMs: number }[] = [];
  let kept = NONE;
  while (slots.length < users) {
    const turn = await takeTurn(house.doors, endpoint, { count: 25, kept, own });
    const takenMs = clock.nowMs();
    kept = turn.kept ?? NONE;
    if (turn.kind === 'later') {
      clock.set(Math.max(takenMs, turn.atMs));
      continue;
    }
    slots.push(...turn.slotsMs.map((slotMs) => ({ slotMs, takenMs })));
    clock.set(Math.max(takenMs, ...turn.slotsMs));
  }
  return slots;
}

function gapsOf(slots: readonly { readonly slotMs: number }[]): number[] {
  return slots.slice(1).map(({ slotMs }, i) => slotMs - (slots[i]?.slotMs ?? 0));
}

describe('a file with a limit of its own', () => {
  it.each([
    [5, undefined],
    [16, undefined],
    [0.5, undefined],
    [13, 100],
    [2, 50],
    [0.5, 50],
  ])('of %d per second spaces its users beside %s of its endpoint', async (rate, perSecond) => {
    const endpoint = await house.addEndpoint({ perSecond });
    const gaps = gapsOf(await slotsOf(endpoint, ownOf(endpoint, rate), 40));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(intervalMs(rate)));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(intervalMs(rate) * 1.1 + 25);
  });

  it.each([13, 2, 0.5])('of %d keeps it behind a backlog that ends', async (rate) => {
    const endpoint = await house.addEndpoint({ perSecond: 50 });
    await takeSlots(house.world, endpoint, 1_000);
    const slots = await slotsOf(endpoint, ownOf(endpoint, rate), 40);
    const gaps = gapsOf(slots);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(intervalMs(rate)));
    const most = Math.max(...gaps.slice(1));
    expect(most).toBeLessThanOrEqual(intervalMs(rate) * 1.1 + 25);
  });

  it.each([1_500, 5_000, 60_000])('comes on behind others who are %d ms ahead', async (aheadMs) => {
    const endpoint = await house.addEndpoint({ perSecond: 50 });
    const { clock } = house.world;
    const own = ownOf(endpoint, 0.5);
    const startMs = clock.nowMs();
    const sent: number[] = [];
    for (let turns = 0, kept = NONE; sent.length < 5; turns += 1) {
      expect(turns).toBeLessThan(40);
      const ahead = aheadMs - Math.max(0, await backlogMs(endpoint));
      if (ahead > 20) await takeSlots(house.world, endpoint, Math.ceil(ahead / intervalMs(50)));
      const turn = await takeTurn(house.doors, endpoint, { count: 25, kept, own });
      kept = turn.kept ?? NONE;
      if (turn.kind === 'now') sent.push(...turn.slotsMs);
      clock.set(turn.kind === 'later' ? turn.atMs : Math.max(...turn.slotsMs));
    }
    const gaps = gapsOf(sent.map((slotMs) => ({ slotMs })));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(Math.floor(intervalMs(0.5)));
    expect((sent.at(-1) ?? 0) - startMs).toBeLessThan(5 * (aheadMs + 3 * intervalMs(0.5)));
  });

  it('waits on with its slots when it is woken too early', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 50 });
    await takeSlots(house.world, endpoint, 57_000);
    const own = ownOf(endpoint, 2);
    const order = { count: 25, own };
    const first = await takeTurn(house.doors, endpoint, { ...order, kept: NONE });
    expect(first).toMatchObject({ kind: 'later', kept: { slotsMs: [expect.any(Number)] } });
    house.world.clock.advance(14 * MINUTE_MS);
    const kept = first.kept ?? NONE;
    expect(await takeTurn(house.doors, endpoint, { ...order, kept })).toEqual(first);
  });

  it.each([
    { rate: 200, perSecond: 250, aheadS: 10, seconds: 60, least: 900 },
    { rate: 20, perSecond: 100, aheadS: 60, seconds: 180, least: 6 },
    { rate: 20, perSecond: 100, aheadS: 1.5, seconds: 60, least: 900 },
    { rate: 50, perSecond: 100, aheadS: 0, seconds: 60, least: 2_600 },
  ])('of $rate beside $perSecond comes on behind others, $aheadS s ahead', async (given) => {
    const { rate, perSecond, aheadS, seconds, least } = given;
    const endpoint = await house.addEndpoint({ perSecond });
    const { clock, sent } = house.world;
    sent.length = 0;
    house.received.length = 0;
    const file = await house.upload(endpoint, usersFile(16_000), { ratePerSecond: rate });
    const endMs = clock.nowMs() + 1_000 * seconds;
    while (clock.nowMs() < endMs) {
      const missingMs = aheadS * 1_000 - Math.max(0, await backlogMs(endpoint));
      const missing = Math.ceil(missingMs / intervalMs(perSecond));
      if (missing > 2) await takeSlots(house.world, endpoint, missing);
      await house.handleAll();
      const nextMs = Math.min(clock.nowMs() + 500, ...sent.map(({ atMs = 0 }) => atMs));
      clock.set(Math.max(clock.nowMs() + 1, Math.ceil(nextMs)));
      await house.sweep(await house.find(file));
    }
    expect(house.received.length).toBeGreaterThanOrEqual(least);
    expect(mostInASecond(house.received.map(({ atMs }) => atMs))).toBeLessThanOrEqual(1.35 * rate);
  });

  it('uses no slot of its endpoint much later than it was taken', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 100 });
    const slots = await slotsOf(endpoint, ownOf(endpoint, 10), 40);
    for (const { slotMs, takenMs } of slots) expect(slotMs - takenMs).toBeLessThanOrEqual(460);
  });

  it.each([
    [5, 50],
    [0.9, 50],
    [8, 100],
    [4, 5],
    [0.5, undefined],
  ])('of %d is as late as that and %s of its endpoint allow', async (rate, perSecond) => {
    const endpoint = await house.addEndpoint({ perSecond });
    const own = ownOf(endpoint, rate);
    const { clock } = house.world;
    for (let sent = 0; sent < 20; ) {
      const turn = await takeTurn(house.doors, endpoint, { count: 1, kept: NONE, own });
      const [slotMs = 0] = turn.kind === 'now' ? turn.slotsMs : [];
      clock.set(turn.kind === 'now' ? slotMs : turn.atMs);
      if (turn.kind === 'later') continue;
      const { tatUs = 0 } = await findPace(house.world.db, endpoint);
      const theirsMs = tatUs / 1_000 - intervalMs(perSecond ?? 1);
      const ends = [lastUseMs(slotMs, rate), perSecond ? lastUseMs(theirsMs, perSecond) : Infinity];
      expect(turn.lastMs).toBeLessThanOrEqual(Math.min(...ends) + 1);
      expect(turn.lastMs).toBeGreaterThan(slotMs);
      sent += 1;
    }
  });

  it.each([
    [4, 5, 1_500, 2],
    [0.5, 0.9, 5_000, 1],
    [0.3, 0.5, 9_000, 1],
    [7.9, 8, 3_000, 6],
  ])('of %d keeps %d of its endpoint with others, each %d ms %d', async (rate, most, ms, count) => {
    const endpoint = await house.addEndpoint({ perSecond: most });
    const { clock } = house.world;
    const own = ownOf(endpoint, rate);
    const endMs = clock.nowMs() + 10 * MINUTE_MS;
    const sentMs: number[] = [];
    let [kept, turnMs, othersMs] = [NONE, clock.nowMs(), clock.nowMs() + ms];
    while (clock.nowMs() < endMs) {
      clock.set(Math.max(clock.nowMs(), Math.ceil(Math.min(turnMs, othersMs))));
      if (othersMs <= turnMs) {
        sentMs.push(...(await takeSlots(house.world, endpoint, count)).slotsMs);
        othersMs += ms;
        continue;
      }
      const turn = await takeTurn(house.doors, endpoint, { count: 25, kept, own });
      kept = turn.kept ?? NONE;
      if (turn.kind === 'now') sentMs.push(...turn.slotsMs);
      turnMs = turn.kind === 'now' ? Math.max(...turn.slotsMs) + 5 : turn.atMs;
    }
    if (most < 1) expect(leastGapMs(sentMs)).toBeGreaterThanOrEqual(900 / most);
    else expect(mostInASecond(sentMs)).toBeLessThanOrEqual(1.35 * most);
  });

  it('leaves a pace that ends by itself', async () => {
    const endpoint = await house.addEndpoint();
    const own = ownOf(endpoint, 5);
    const nowMs = house.world.clock.nowMs();
    await slotsOf(endpoint, own, 20);
    const row = await house.world.db.get('endpoints', paceKey(own.tenantId, own.id));
    expect(row?.ttl).toBe(Math.floor((nowMs + 32 * DAY_MS) / 1_000));
  });

  it('takes nothing before it is free', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 100 });
    const own = ownOf(endpoint, 0.2);
    await slotsOf(endpoint, own, 1);
    const [theirs, ours] = [await findPace(house.world.db, endpoint), await tatOf(own)];
    const turn = await takeTurn(house.doors, endpoint, { count: 25, kept: NONE, own });
    const freeMs = Math.ceil((ours ?? 0) / 1_000);
    const isShortlyBefore = (ms: number) => freeMs - 350 <= ms && ms <= freeMs;
    expect(turn).toEqual({ kind: 'later', atMs: expect.toSatisfy(isShortlyBefore) });
    expect(await findPace(house.world.db, endpoint)).toEqual(theirs);
    expect(await tatOf(own)).toBe(ours);
  });
});

async function tatOf(own: OwnPaced) {
  return (await findPace(house.world.db, own)).tatUs;
}

async function backlogMs(endpoint: Endpoint): Promise<number> {
  const { tatUs = 0 } = await findPace(house.world.db, endpoint);
  return tatUs / 1_000 - house.world.clock.nowMs();
}
