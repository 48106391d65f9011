import { beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '../../functions/shared/problem.ts';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import { NO_PACE } from '../../functions/webhooks/pace.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

function limited(perSecond: number | undefined): Endpoint {
  return {
    id: world.ids.next('end'),
    tenantId: newTenant(world),
    url: 'https://example.com/',
    status: 'active',
    retry: { maxAttempts: 3 },
    timeoutMs: 1_000,
    onUnknown: 'resend',
    perSecond,
    secrets: [],
    createdAtMs: 0,
  };
}

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
    const refusals = Array.from({ length: 10 }, () =>
      blockEndpoint(world, endpoint, { status: 503 }),
    );
    const until = new Set(await Promise.all(refusals));
    expect([...until]).toEqual([world.clock.nowMs() + 1_000]);
    expect((await findPace(world.db, endpoint)).refusals).toBe(1);
  });
});
