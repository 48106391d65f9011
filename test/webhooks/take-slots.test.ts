import { beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '../../functions/shared/problem.ts';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace, restartPace } from '../../functions/webhooks/pace.store.ts';
import { NO_PACE } from '../../functions/webhooks/pace.ts';
import { takeKnownSlots, takeSlots } from '../../functions/webhooks/take-slots.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { limitedEndpoint } from './limited-endpoint.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const limited = (perSecond: number | undefined) => limitedEndpoint(world, perSecond);

/** The answer of a receiver that names a time. */
const asking = (retryAfterMs: number) => ({ status: 429, retryAfterMs });

describe('takeSlots', () => {
  it('gives the first slot now and the others at 95 % of the limit', async () => {
    const { slotsMs } = await takeSlots(world, limited(0.5), 3);
    expect(slotsMs.map((ms) => ms - world.clock.nowMs())).toEqual([0, 2_106, 4_211]);
  });

  it('goes on behind what is reserved, and begins anew after a pause', async () => {
    const endpoint = limited(1);
    const startMs = world.clock.nowMs();
    const [first] = (await takeSlots(world, endpoint, 1)).slotsMs;
    const [second] = (await takeSlots(world, endpoint, 1)).slotsMs;
    expect([first, second].map((ms) => (ms ?? 0) - startMs)).toEqual([0, 1_053]);
    world.clock.advance(60_000);
    expect((await takeSlots(world, endpoint, 1)).slotsMs).toEqual([world.clock.nowMs()]);
  });

  it('gives no slot twice to senders that ask at once', async () => {
    const endpoint = limited(50);
    const asked = Array.from({ length: 20 }, () => takeSlots(world, endpoint, 5));
    const slots = (await Promise.all(asked)).flatMap((it) => it.slotsMs).sort((a, b) => a - b);
    const gaps = slots.slice(1).map((ms, index) => ms - (slots[index] ?? 0));
    expect(slots).toHaveLength(100);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(21);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(22);
  });

  it('costs at most two writes for any number of slots, and no read', async () => {
    const endpoint = limited(10);
    world.takeUnits();
    await takeSlots(world, endpoint, 100);
    expect(world.units.map((it) => it.operation)).toEqual(['update']);
    expect(world.takeUnits()).toBe(1);
  });

  it('writes nothing for an endpoint without a limit', async () => {
    const endpoint = limited(undefined);
    const { slotsMs, blockedUntilMs } = await takeSlots(world, endpoint, 2);
    expect(slotsMs).toEqual([world.clock.nowMs(), world.clock.nowMs()]);
    expect(blockedUntilMs).toBeUndefined();
    expect(await findPace(world.db, endpoint)).toEqual(NO_PACE);
  });
});

describe('a block', () => {
  it.each([undefined, 10])('is told to whoever asks, at a limit of %s', async (perSecond) => {
    const endpoint = limited(perSecond);
    await takeSlots(world, endpoint, 1);
    const untilMs = await blockEndpoint(world, endpoint, asking(20_000));
    expect(untilMs).toBe(world.clock.nowMs() + 20_000);
    const slots = await takeSlots(world, endpoint, 1);
    expect(slots.blockedUntilMs).toBe(untilMs);
    if (perSecond !== undefined) expect(slots.slotsMs[0]).toBeGreaterThanOrEqual(untilMs);
    world.clock.advance(20_000);
    expect((await takeSlots(world, endpoint, 1)).blockedUntilMs).toBeUndefined();
  });

  const rates = [0.5, 1, 2, 3, 10, 19, 25, 50, 5_000];
  it.each(rates)('holds behind slots that are reserved at %d per second', async (perSecond) => {
    const endpoint = limited(perSecond);
    for (const count of [5, 1, 1, 1]) await takeSlots(world, endpoint, count);
    const untilMs = await blockEndpoint(world, endpoint, asking(60_000));
    expect(untilMs).toBe(world.clock.nowMs() + 60_000);
    expect(await findPace(world.db, endpoint)).toMatchObject({
      blockedUntilMs: untilMs,
      refusals: 1,
    });
    expect((await takeSlots(world, endpoint, 1)).slotsMs).toEqual([untilMs]);
  });

  it('never moves back what is reserved behind it', async () => {
    const endpoint = limited(1);
    await takeSlots(world, endpoint, 100);
    const { tatUs } = await findPace(world.db, endpoint);
    const untilMs = await blockEndpoint(world, endpoint, asking(5_000));
    expect(await findPace(world.db, endpoint)).toMatchObject({ tatUs, blockedUntilMs: untilMs });
  });

  it('is stored while others reserve slots all the time', async () => {
    const endpoint = limited(50);
    const asked = Array.from({ length: 20 }, () => takeSlots(world, endpoint, 5));
    const untilMs = await blockEndpoint(world, endpoint, asking(60_000));
    await Promise.all(asked);
    expect((await findPace(world.db, endpoint)).blockedUntilMs).toBe(untilMs);
  });

  it.each([
    ['refused', async () => ({ ok: false as const, reasons: [{ code: 'throttled' as const }] })],
    ['down', () => Promise.reject(new Problem('unavailable'))],
  ])('that cannot be stored, because the table is %s, is said so', async (_, commit) => {
    const endpoint = limited(10);
    const broken = { ...world, db: { ...world.db, commit } };
    world.lines.splice(0);
    const untilMs = await blockEndpoint(broken, endpoint, asking(60_000));
    expect(untilMs).toBe(world.clock.nowMs() + 60_000);
    expect(world.lines).toMatchObject([
      { event: 'endpoint.block-failed', endpointId: endpoint.id, askedMs: 60_000 },
    ]);
    expect(await findPace(world.db, endpoint)).toEqual(NO_PACE);
  });

  it('counts once when many senders are refused together', async () => {
    const endpoint = limited(undefined);
    // Those who lose against the first one pause a little, which turns the clock.
    const nowMs = world.clock.nowMs();
    const refusals = Array.from({ length: 10 }, () =>
      blockEndpoint(world, endpoint, { status: 503 }),
    );
    const until = new Set(await Promise.all(refusals));
    expect([...until]).toEqual([nowMs + 1_000]);
    expect((await findPace(world.db, endpoint)).refusals).toBe(1);
  });
});

describe('a refusal without a time', () => {
  const TOO_MANY = { status: 429 };

  it('halves the rate and voids the slots, once in ten seconds', async () => {
    const endpoint = limited(40);
    await takeSlots(world, endpoint, 400);
    const nowMs = world.clock.nowMs();
    await Promise.all(Array.from({ length: 5 }, () => blockEndpoint(world, endpoint, TOO_MANY)));
    const pace = await findPace(world.db, endpoint);
    expect(pace).toMatchObject({ version: 1, learned: { perSecond: 20, atMs: nowMs } });
    const { slotsMs, version } = await takeSlots(world, endpoint, 3);
    expect(version).toBe(1);
    expect(slotsMs.map((ms) => ms - nowMs)).toEqual([5_000, 5_053, 5_106]);
  });

  it('is learned from where there is no limit, too', async () => {
    const endpoint = limited(undefined);
    await blockEndpoint(world, endpoint, { status: 429, retryAfterMs: 60_000 });
    const { slotsMs } = await takeSlots(world, endpoint, 2);
    expect(slotsMs.map((ms) => ms - world.clock.nowMs())).toEqual([60_000, 60_043]);
  });

  it.each([
    { status: 429, retryAfterMs: 1_000 },
    { status: 503, retryAfterMs: 1_000 },
  ])('is not what $status with a time is: the tenant has named the limit', async (refusal) => {
    const endpoint = limited(40);
    await blockEndpoint(world, endpoint, refusal);
    expect(await findPace(world.db, endpoint)).toMatchObject({ version: 0, learned: undefined });
  });
});

describe('the writes of a batch of slots', () => {
  /** How many a call makes, also those that are refused, which are charged too. */
  async function writesOf(take: (counted: TestWorld) => Promise<unknown>): Promise<number> {
    let writes = 0;
    const { commit } = world.db;
    const db: typeof world.db = {
      ...world.db,
      commit: (them) => {
        writes += them.length;
        return commit(them);
      },
    };
    await take({ ...world, db });
    return writes;
  }

  const restart = (endpoint: Endpoint) =>
    world.db.commit([
      restartPace(endpoint, { perSecond: 7, unblocks: true, nowMs: world.clock.nowMs() }),
    ]);

  it.each([
    ['at first', async () => undefined],
    ['after a pause', async () => world.clock.advance(60_000)],
    ['behind others', (it: Endpoint) => takeSlots(world, it, 5)],
    ['during a block', (it: Endpoint) => blockEndpoint(world, it, asking(60_000))],
    ['after a halving', (it: Endpoint) => blockEndpoint(world, it, { status: 429 })],
    ['after a change of the limit', restart],
  ])('are two at most, %s', async (_, prepare) => {
    const endpoint = limited(5);
    await takeSlots(world, endpoint, 1);
    await prepare(endpoint);
    expect(await writesOf((it) => takeSlots(it, endpoint, 100))).toBeLessThanOrEqual(2);
    const pace = await findPace(world.db, endpoint);
    expect(await writesOf((it) => takeKnownSlots(it, { endpoint, pace }, 100))).toBe(1);
  });
});

describe('a limit that is changed', () => {
  it('holds for all who take slots, also for who has not heard of it', async () => {
    const endpoint = limited(50);
    await takeSlots(world, endpoint, 500);
    const nowMs = world.clock.nowMs();
    await blockEndpoint(world, endpoint, asking(2_000));
    await world.db.commit([restartPace(endpoint, { perSecond: 2, unblocks: false, nowMs })]);
    const { slotsMs, blockedUntilMs } = await takeSlots(world, endpoint, 2);
    expect(slotsMs.map((ms) => ms - nowMs)).toEqual([5_000, 5_527]);
    expect(blockedUntilMs).toBe(nowMs + 2_000);
  });

  it('may be none, and may end a block', async () => {
    const endpoint = limited(50);
    await blockEndpoint(world, endpoint, asking(60_000));
    const change = { perSecond: undefined, unblocks: true, nowMs: world.clock.nowMs() };
    await world.db.commit([restartPace(endpoint, change)]);
    const { slotsMs, blockedUntilMs } = await takeSlots(world, endpoint, 2);
    expect(slotsMs).toEqual([change.nowMs, change.nowMs]);
    expect(blockedUntilMs).toBeUndefined();
  });
});
