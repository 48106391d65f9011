import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { type Ask, webhooksApi } from './api.ts';
import { workUntil } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, relayed } from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});
beforeEach(() => void world.sent.splice(0));

const healthOf = async ({ tenantId, id }: Endpoint) =>
  (await ask(tenantId, `GET /v1/endpoints/${id}/health`)).body;
const url = 'http://127.0.0.1:4000/hook';
const instant = (ms: number) => new Date(ms).toISOString();

describe('GET /v1/endpoints/{id}/health', () => {
  it('has little to say of a new endpoint, for few units', async () => {
    const endpoint = await newEndpoint(world, url, { perSecond: 5 });
    world.takeUnits();
    expect(await healthOf(endpoint)).toEqual({
      object: 'endpoint_health',
      endpointId: endpoint.id,
      breaker: 'closed',
      failureStreak: 0,
      ratePerSecond: 5,
      waiting: 0,
      held: 0,
      lastAttempts: [],
    });
    // Strongly consistent: endpoint, health and pace. Then 8 shards of each list.
    expect(world.takeUnits()).toBeLessThanOrEqual(3 + 8 + 4 + 4);
  });

  it('tells the newest attempts of all its deliveries', async () => {
    const receiver = await startReceiver((nth) => (nth === 2 ? 500 : 200));
    const endpoint = await newEndpoint(world, receiver.url);
    for (let n = 0; n < 12; n += 1) {
      world.clock.advance(20_000);
      await relayed(world, endpoint.tenantId);
      await workUntil(world, world.clock.nowMs() + 15_000);
    }
    const { failureStreak, lastAttempts } = await healthOf(endpoint);
    expect(failureStreak).toBe(0);
    const attempts = lastAttempts as { at: string; deliveryId: string; outcome: string }[];
    expect(attempts).toHaveLength(10);
    expect(attempts.map((it) => it.at)).toEqual([...attempts.map((it) => it.at)].sort().reverse());
    const [newest] = attempts;
    const { body } = await ask(endpoint.tenantId, `GET /v1/deliveries/${newest?.deliveryId}`);
    expect(body.attempts).toMatchObject([{ at: newest?.at, outcome: 'delivered' }]);
  });

  it('tells of an open breaker, its next probe, and what it holds', async () => {
    const receiver = await startReceiver(() => 500);
    const retry = { maxAttempts: 30, scheduleSeconds: [5] };
    const endpoint = await newEndpoint(world, receiver.url, { retry });
    await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs() + 90_000);
    for (let n = 0; n < 3; n += 1) await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs() + 5_000);

    const probeAtMs = Date.parse(String((await healthOf(endpoint)).nextProbeAt));
    world.clock.set(probeAtMs - 1);
    const health = await healthOf(endpoint);
    expect(health).toMatchObject({ breaker: 'open', held: 4 });
    expect(Number(health.failureStreak)).toBeGreaterThanOrEqual(10);
    expect(Date.parse(String(health.openedAt))).toBeLessThan(probeAtMs);
    world.clock.set(probeAtMs);
    expect(await healthOf(endpoint)).toMatchObject({ breaker: 'half_open' });
  });

  it('tells what was tried last, also behind what is held or waits', async () => {
    const receiver = await startReceiver(() => 500);
    const retry = { maxAttempts: 30, scheduleSeconds: [5] };
    const endpoint = await newEndpoint(world, receiver.url, { retry });
    await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs() + 90_000);
    for (let n = 0; n < 12; n += 1) await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs() + 5_000);
    const { breaker, held, lastAttempts } = await healthOf(endpoint);
    expect(['open', 'half_open']).toContain(breaker);
    expect(held).toBe(13);
    expect(lastAttempts).toHaveLength(10);

    const limited = await newEndpoint(world, receiver.url, { perSecond: 0.01 });
    for (let n = 0; n < 30; n += 1) await relayed(world, limited.tenantId);
    await workUntil(world, world.clock.nowMs() + 150_000);
    const { lastAttempts: some } = await healthOf(limited);
    expect((some as unknown[]).length).toBeGreaterThan(0);
  });

  it('tells how much waits and when it is drained', async () => {
    const endpoint = await newEndpoint(world, url, { perSecond: 2 });
    const { slotsMs } = await takeSlots(world, endpoint, 100);
    const nowMs = world.clock.nowMs();
    const { waiting, drainedAt, ratePerSecond } = await healthOf(endpoint);
    expect([waiting, ratePerSecond]).toEqual([100, 2]);
    const lastMs = slotsMs.at(-1) ?? 0;
    expect(Math.abs(Date.parse(String(drainedAt)) - lastMs)).toBeLessThanOrEqual(1);
    world.clock.set(lastMs - 9 * 527);
    expect((await healthOf(endpoint)).waiting).toBe(10);
    world.clock.set(nowMs + 60_000);
    expect((await healthOf(endpoint)).waiting).toBe(0);
  });

  it('counts nothing that has gone, at the slowest limit', async () => {
    const endpoint = await newEndpoint(world, url, { perSecond: 0.01 });
    await takeSlots(world, endpoint, 1);
    world.clock.advance(1_000);
    const health = await healthOf(endpoint);
    expect(health.waiting).toBe(0);
    expect(health).not.toHaveProperty('drainedAt');
  });

  it('counts no slots of another limit, nor the time until the first of the new one', async () => {
    const endpoint = await newEndpoint(world, url, { perSecond: 3 });
    await takeSlots(world, endpoint, 100);
    const path = `PATCH /v1/endpoints/${endpoint.id}`;
    await ask(endpoint.tenantId, path, { body: { rateLimit: { perSecond: 4 } } });
    expect(await healthOf(endpoint)).toMatchObject({ waiting: 0, ratePerSecond: 4 });
  });

  it('tells a rate without the noise of its halving', async () => {
    const endpoint = await newEndpoint(world, url, { perSecond: 0.7 });
    await blockEndpoint(world, endpoint, { status: 429 });
    world.clock.advance(20_000);
    expect((await healthOf(endpoint)).ratePerSecond).toBe(0.42);
  });

  it('tells of a receiver that wants to be left alone, only as long as it does', async () => {
    const endpoint = await newEndpoint(world, url, { perSecond: 2 });
    await blockEndpoint(world, endpoint, { status: 429, retryAfterMs: 30_000 });
    const untilMs = world.clock.nowMs() + 30_000;
    expect(await healthOf(endpoint)).toMatchObject({ blockedUntil: instant(untilMs), waiting: 0 });
    world.clock.set(untilMs);
    expect(await healthOf(endpoint)).not.toHaveProperty('blockedUntil');
  });

  it('tells what it has learned from refusals', async () => {
    const endpoint = await newEndpoint(world, url, { perSecond: 40 });
    await blockEndpoint(world, endpoint, { status: 429 });
    expect((await healthOf(endpoint)).ratePerSecond).toBe(20);
  });

  it('counts what is held behind a paused endpoint', async () => {
    const endpoint = await newEndpoint(world, url, { status: 'paused' });
    for (let n = 0; n < 20; n += 1) await relayed(world, endpoint.tenantId);
    await workUntil(world, world.clock.nowMs());
    expect(await healthOf(endpoint)).toMatchObject({ held: 20, breaker: 'closed' });
  });

  it('knows no endpoint of another tenant', async () => {
    const { id } = await newEndpoint(world, url);
    const { status } = await ask(newTenant(world), `GET /v1/endpoints/${id}/health`);
    expect(status).toBe(404);
  });
});
